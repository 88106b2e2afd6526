import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SafeOrder } from '../../../src/broker/delivery/safe-order.js';

const turn = () => new Promise(setImmediate);

function promised() {
  let keep!: () => void;
  let breakIt!: (error: Error) => void;
  const promise = new Promise<void>((resolve, reject) => {
    keep = resolve;
    breakIt = reject;
  });
  return { promise, keep, breakIt };
}

test('in order, each when its promise and those before it are kept', async () => {
  const out: string[] = [];
  const order = new SafeOrder<string>((item) => out.push(item), null);
  const [first, second] = [promised(), promised()];
  order.add('a', first.promise);
  order.add('b', second.promise);
  order.add('c', null);
  second.keep();
  await turn();
  assert.deepEqual(out, []);
  first.keep();
  await turn();
  assert.deepEqual([out, order.empty], [['a', 'b', 'c'], true]);
});

test('a promise that is kept already lets what comes later go on', async () => {
  const out: string[] = [];
  const order = new SafeOrder<string>((item) => out.push(item), null);
  const { promise, keep } = promised();
  order.add('a', promise);
  keep();
  await turn();
  order.add('b', promise);
  assert.deepEqual(out, ['a', 'b']);
});

test('what was promised and broken is told in its place, and the others go on', async () => {
  const out: string[] = [];
  const order = new SafeOrder<string>(
    (item) => out.push(item),
    (item, { message }) => out.push(`${item}: ${message}`),
  );
  const [first, second] = [promised(), promised()];
  order.add('a', first.promise);
  order.add('b', second.promise);
  order.add('c', second.promise);
  order.add('d', null);
  second.breakIt(new Error('no'));
  await turn();
  assert.deepEqual(out, []);
  first.keep();
  await turn();
  assert.deepEqual(out, ['a', 'b: no', 'c: no', 'd']);
});

test('where a broken promise is all the same, what waits for it goes on', async () => {
  const out: string[] = [];
  const order = new SafeOrder<string>((item) => out.push(item), null);
  order.add('a', Promise.reject(new Error('no')));
  await turn();
  assert.deepEqual(out, ['a']);
});
