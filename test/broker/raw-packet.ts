/** Packets put together byte by byte, so that they can be wrong. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { TestBroker } from './fixture.js';
import { payloads, WireClient } from './wire-client.js';

/** Bytes of an MQTT 5 packet: first byte, and what follows the remaining length. */
export function packet(first: number, ...body: (number | string | Buffer)[]): Buffer {
  const bytes = Buffer.concat(
    body.map((part) => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part))),
  );
  assert.ok(bytes.length < 128);
  return Buffer.concat([Buffer.of(first, bytes.length), bytes]);
}

/** A packet of 16,384 to 2,097,151 bytes. */
export function large(first: number, body: Buffer): Buffer {
  const { length } = body;
  return Buffer.concat([
    Buffer.of(first, (length & 0x7f) | 0x80, ((length >> 7) & 0x7f) | 0x80, length >> 14),
    body,
  ]);
}

export function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.of(0, bytes.length), bytes]);
}

/** Properties with their length. */
export function properties(...bytes: number[]): Buffer {
  return Buffer.of(bytes.length, ...bytes);
}

export const EXPIRY_TWICE = [0x11, 0, 0, 0, 5, 0x11, 0, 0, 0, 6];
/** Of MQTT 5, up to the flags. */
export const CONNECT_HEAD = [text('MQTT'), 5];

/** Others can still use the broker. */
export async function assertUnharmed(t: TestContext, { tcp }: TestBroker): Promise<void> {
  const client = await WireClient.connect(t, tcp.port);
  await client.subscribe('#');
  client.publish({ topic: 'a', payload: 'works', qos: 1 });
  assert.deepEqual(payloads(await client.sync()), ['works']);
  await client.break();
}
