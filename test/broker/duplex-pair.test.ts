import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { duplexPair } from '../../src/broker/duplex-pair.js';

async function all(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

test('what is written at one end is read at the other, in order, both ways', async () => {
  const [one, other] = duplexPair();
  const got = [all(one), all(other)];
  for (let i = 0; i < 3; i++) {
    one.write(`to other ${i};`);
    other.write(`to one ${i};`);
  }
  one.end();
  assert.deepEqual(await Promise.all(got), [
    'to one 0;to one 1;to one 2;',
    'to other 0;to other 1;to other 2;',
  ]);
});

test('a buffer may be written over as soon as it is taken, though nobody has read it', async () => {
  const [one, other] = duplexPair();
  for (const text of ['first', 'other']) {
    const buffer = Buffer.from(text);
    await new Promise((resolve) => one.write(buffer, resolve));
    buffer.fill('x');
  }
  one.end();
  assert.equal(await all(other), 'firstother');
});

test('who writes faster than the other reads is told to wait', async () => {
  const [one, other] = duplexPair();
  let written = 0;
  while (one.write(Buffer.alloc(1000))) written += 1000;
  assert.ok(written < 100_000);
  other.resume();
  await once(one, 'drain');
});

test('an end that breaks ends the other, which reads what was written before; nobody waits for ever', async () => {
  const [one, other] = duplexPair();
  one.write('before');
  const waiting = new Promise((resolve) => other.write(Buffer.alloc(100_000), resolve));
  other.write('is waiting');
  const got = all(other);
  one.destroy();
  await waiting;
  assert.equal(await got, 'before');
  if (!other.closed) await once(other, 'close');
});
