import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchBuilder, messagesOf } from '../../src/query/batch.js';
import type { Message } from '../../src/ring/record.js';
import { randomMessages } from './fixture.js';

function batches(messages: readonly Message[]): Message[][] {
  const builder = new BatchBuilder();
  const taken: Message[][] = [];
  for (const message of messages) {
    builder.add(message);
    if (builder.full) taken.push(messagesOf(builder.take()));
  }
  if (!builder.empty) taken.push(messagesOf(builder.take()));
  return taken;
}

const sizes = (messages: readonly Message[]) => batches(messages).map((batch) => batch.length);

test('messages come out as they went in, in batches of 1000', () => {
  const messages = randomMessages(1, 2500);
  const taken = batches(messages);
  assert.deepEqual(taken.flat(), messages);
  assert.deepEqual(
    taken.map((batch) => batch.length),
    [1000, 1000, 500],
  );
});

test('about 1 MiB makes a batch full, of payloads or of texts', () => {
  const [message] = randomMessages(1, 1);
  const large = Array.from({ length: 10 }, () => ({ ...message!, payload: new Uint8Array(400 * 1024) }));
  assert.deepEqual(sizes(large), [3, 3, 3, 1]);
  const wordy = Array.from({ length: 4 }, (_, i) => ({ ...message!, properties: `${i}`.repeat(600 * 1024) }));
  assert.deepEqual(sizes(wordy), [2, 2]);
  const alike = Array.from({ length: 4 }, () => ({ ...message!, properties: 'x'.repeat(600 * 1024) }));
  assert.deepEqual(sizes(alike), [4]);
});

test('a payload longer than a batch passes, and the batches after it are as before', () => {
  const [message] = randomMessages(1, 1);
  const of = (length: number) => ({ ...message!, payload: new Uint8Array(length).fill(length & 255) });
  const messages = [of(5), of(5 * 1024 * 1024 + 1), of(7), of(0)];
  const taken = batches(messages);
  assert.deepEqual(taken.flat(), messages);
  assert.deepEqual(
    taken.map((batch) => batch.length),
    [2, 2],
  );
});

test('the payload is copied when it is added', () => {
  const [message] = randomMessages(1, 1);
  const builder = new BatchBuilder();
  const payload = Uint8Array.of(1, 2, 3);
  builder.add({ ...message!, payload });
  payload.fill(9);
  assert.deepEqual(messagesOf(builder.take())[0]!.payload, Uint8Array.of(1, 2, 3));
});

test('the payloads of a batch share one buffer of their length', () => {
  const [batch] = batches(randomMessages(3, 50));
  const buffers = new Set(batch!.map(({ payload }) => payload.buffer));
  assert.equal(buffers.size, 1);
  const total = batch!.reduce((sum, { payload }) => sum + payload.length, 0);
  assert.equal([...buffers][0]!.byteLength, total);
});
