import assert from 'node:assert/strict';
import type { RingMemory } from '../../src/ring/layout.js';
import { copyMessage, emptyParts, type Message } from '../../src/ring/record.js';
import { encodeSource, type Source } from '../../src/ring/source.js';
import type { RingWriter } from '../../src/ring/writer.js';

/** A whole number from `low` to `high`, both included. */
export function whole(random: () => number, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

export function pick<T>(random: () => number, from: readonly T[]): T {
  return from[whole(random, 0, from.length - 1)]!;
}

/** Noise whose first byte is at `alignment` modulo 8 in its buffer, which is as long as that needs. */
export function noise(random: () => number, length: number, alignment = 0): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(alignment + length), alignment);
  for (let i = 0; i < length; i++) bytes[i] = whole(random, 0, 255);
  return bytes;
}

const TOPICS = ['a', 'vehicle/can/1', 'vehicle/gnss', 'é', 'x'.repeat(40), '日本/語', '\uFEFFbom'];
const CLIENTS = [null, '', 'c', 'client-1', 'ß😀'];

/** Whose messages they are, and that encoded. */
export interface SampleSource extends Source {
  readonly topic: string;
  readonly clientId: string | null;
}

export function sourceOf(topic: string, clientId: string | null): SampleSource {
  return { topic, clientId, ...encodeSource(topic, clientId) };
}

export const SOURCES: readonly SampleSource[] = TOPICS.flatMap((topic) =>
  CLIENTS.map((clientId) => sourceOf(topic, clientId)),
);

/** What is appended: a message and the source it was encoded with. */
export interface Sample {
  readonly message: Message;
  readonly source: Source;
  readonly props: Uint8Array | null;
}

export function sample(
  random: () => number,
  key: number,
  payloadBytes: number,
  source = pick(random, SOURCES),
): Sample {
  const properties =
    random() < 0.3 ? JSON.stringify({ contentType: 'é'.repeat(whole(random, 0, 40)) }) : null;
  const message: Message = {
    key,
    topic: source.topic,
    clientId: source.clientId,
    qos: pick(random, [0, 1, 2]),
    retain: random() < 0.5,
    properties,
    payload: noise(random, payloadBytes, whole(random, 0, 7)),
  };
  return { message, source, props: properties === null ? null : Buffer.from(properties) };
}

export function append(writer: RingWriter, { message, source, props }: Sample): void {
  writer.append(message.key, source, message.qos, message.retain, props, message.payload);
  writer.publish();
}

/** The lengths that `holds`, `fits` and `makeRoom` ask for. */
export function lengths({ message, source, props }: Sample): [Source, number, number] {
  return [source, props?.length ?? 0, message.payload.length];
}

export function assertStands(memory: RingMemory, sequence: number, expected: Message): void {
  const found = copyMessage(memory, sequence, emptyParts());
  assert.deepEqual(
    { ...found, payload: Buffer.from(found.payload) },
    {
      ...expected,
      payload: Buffer.from(expected.payload),
    },
  );
}
