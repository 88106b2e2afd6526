import type { Message } from '../ring/record.js';

/** A message as it goes out again. */
export interface Outgoing {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  readonly properties: Record<string, unknown> | undefined;
}

/** Where replayed messages go: the subscribers that are connected. The broker, seen from here. */
export interface Outlet {
  /** Hands a message to delivery. A promise: some subscriber has enough to do; wait before sending more. */
  send(message: Outgoing): Promise<void> | null;
}

/** MQTT's bound for a topic, bytes [MQTT-4.7.3-3]. */
const MOST_TOPIC_BYTES = 65_535;
/** Names the topic of a message whose `MQfile` topic cannot hold it. */
export const TOPIC_PROPERTY = 'mqtt-stream-topic';

/**
 * A message under `MQfile/<id>/<key>/<original topic>`. If that is too long for MQTT the message comes under
 * `MQfile/<id>/<key>` with its topic as an MQTT 5 user property.
 */
export function replayed(id: string, message: Message): Outgoing {
  const { key, topic, qos, payload } = message;
  const properties = decodeProperties(message.properties);
  // It ran then, not now.
  delete properties?.messageExpiryInterval;
  const long = `MQfile/${id}/${key}/${topic}`;
  const base = { qos, payload: Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength) };
  if (topic.length * 3 + 100 < MOST_TOPIC_BYTES || Buffer.byteLength(long) <= MOST_TOPIC_BYTES) {
    return { ...base, topic: long, properties };
  }
  const userProperties = { ...(properties?.userProperties as object | undefined), [TOPIC_PROPERTY]: topic };
  return { ...base, topic: `MQfile/${id}/${key}`, properties: { ...properties, userProperties } };
}

/** The MQTT 5 properties that were kept as JSON. */
export function decodeProperties(json: string | null): Record<string, unknown> | undefined {
  if (json === null) return undefined;
  const properties = JSON.parse(json) as Record<string, unknown>;
  if (typeof properties.correlationData === 'string') {
    properties.correlationData = Buffer.from(properties.correlationData, 'base64');
  }
  return properties;
}
