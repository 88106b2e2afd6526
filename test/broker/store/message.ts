import type { PublishPacket } from '../../../src/broker/aedes-internals.js';

export function message(counter: number, more: Partial<PublishPacket> = {}): PublishPacket {
  return {
    cmd: 'publish',
    topic: 'vehicle/speed',
    payload: Buffer.from(`m${counter}`),
    qos: 1,
    retain: false,
    dup: false,
    brokerId: 'boot',
    brokerCounter: counter,
    ...more,
  };
}
