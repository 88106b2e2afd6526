import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Delivery, Sharing } from '../../../src/broker/delivery/backlog.js';
import { Message } from '../../../src/broker/delivery/message.js';
import { TopicTable } from '../../../src/broker/delivery/topic-table.js';
import { variantOf } from '../../../src/broker/delivery/variant.js';
import { Waiting } from '../../../src/broker/delivery/waiting.js';

const topic = new TopicTable(10).named('a');
const sharing: Sharing = { offer: () => false, passOn: () => false };

function delivery(bytes: number, more: Partial<Delivery> = {}): Delivery {
  const payload = Buffer.alloc(bytes);
  const packet = { cmd: 'publish', topic: 'a', payload, qos: 1, retain: false, dup: false } as const;
  const message = Message.of(topic, packet, 0);
  const variant = variantOf(false, 1, false, null);
  return { message, variant, key: 1, sharing: null, kept: true, id: 0, sent: false, ...more };
}

function counts({ messages, bytes, newMessages, newBytes }: Waiting): number[] {
  return [messages, bytes, newMessages, newBytes];
}

test('what waited before the connection does not count as new, in whatever order it goes', () => {
  const waiting = new Waiting();
  for (const bytes of [1, 2]) waiting.push(delivery(bytes));
  waiting.restored();
  waiting.push(delivery(4));
  assert.deepEqual(counts(waiting), [3, 7, 1, 4]);
  waiting.shift();
  assert.deepEqual(counts(waiting), [2, 6, 1, 4]);
  waiting.shift();
  waiting.shift();
  waiting.shift();
  assert.deepEqual(counts(waiting), [0, 0, 0, 0]);
  assert.equal(waiting.first, undefined);
});

test('what came through a shared subscription and was not sent is given up, the rest keeps its order', () => {
  const waiting = new Waiting();
  const sent = delivery(1, { sharing, id: 7 });
  const old = delivery(2, { sharing });
  const own = delivery(4);
  const fresh = delivery(8, { sharing });
  const other = delivery(16, { sharing: { ...sharing } });
  for (const one of [sent, old]) waiting.push(one);
  waiting.restored();
  for (const one of [own, fresh, other]) waiting.push(one);
  assert.deepEqual(waiting.giveUp(sharing), [old, fresh]);
  assert.deepEqual(counts(waiting), [3, 21, 2, 20]);
  const left: Delivery[] = [];
  for (let one = waiting.first; one !== undefined; one = waiting.first) {
    left.push(one);
    waiting.shift();
  }
  assert.deepEqual(left, [sent, own, other]);
  assert.deepEqual(waiting.giveUp(sharing), []);
});

test('at the end it tells what nobody else keeps', () => {
  const waiting = new Waiting();
  for (const kept of [true, false, false]) waiting.push(delivery(3, { kept }));
  waiting.restored();
  assert.equal(waiting.clear(), 2);
  assert.deepEqual(counts(waiting), [0, 0, 0, 0]);
});
