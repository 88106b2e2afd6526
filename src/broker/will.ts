import type { IConnectPacket } from 'mqtt-packet';
import type { PublishPacket } from './aedes-internals.js';

/** What is published for a client whose connection ends without a DISCONNECT (MQTT 5 section 3.1.2.5). */
export interface Will {
  readonly packet: PublishPacket;
  /** Will Delay Interval, seconds. */
  readonly delay: number;
}

/** The will that a CONNECT brings; null: it has none. */
export function willOf({ will }: IConnectPacket): Will | null {
  if (will === undefined) return null;
  const { willDelayInterval = 0, ...properties } = will.properties ?? {};
  // What was read is a view of a chunk, which would live as long as the connection.
  if (properties.correlationData) properties.correlationData = Buffer.from(properties.correlationData);
  const packet: PublishPacket = {
    cmd: 'publish',
    topic: will.topic,
    payload: Buffer.from(will.payload),
    qos: will.qos ?? 0,
    retain: will.retain ?? false,
    dup: false,
    ...(Object.keys(properties).length === 0 ? {} : { properties }),
  };
  return { packet, delay: willDelayInterval };
}
