import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Commit } from '../../../../src/broker/store/redis/commit.js';

/** Takes batches, and answers when it is told to. */
class Receiver {
  readonly got: { number: number; args: readonly unknown[] }[] = [];
  #answers: ((done: boolean) => void)[] = [];
  readonly commit = new Commit((number, args) => {
    this.got.push({ number, args: [...args] });
    return new Promise((resolve) => this.#answers.push(resolve));
  });

  async answer(done: boolean): Promise<void> {
    while (this.#answers.length === 0) await new Promise((resolve) => setImmediate(resolve));
    this.#answers.shift()!(done);
  }

  async gets(count: number): Promise<void> {
    while (this.got.length < count) await new Promise((resolve) => setImmediate(resolve));
  }
}

test('what is put in one turn is one batch with one promise, and what comes meanwhile is the next', async () => {
  const receiver = new Receiver();
  const { commit } = receiver;
  commit.resume();
  assert.equal(commit.unwritten, null);
  commit.add('a', 1);
  const first = commit.unwritten;
  commit.add('b', 2);
  assert.equal(commit.unwritten, first);
  await receiver.gets(1);
  commit.add('c', 3);
  assert.notEqual(commit.unwritten, first);
  const second = commit.written();
  await receiver.answer(true);
  await first;
  await receiver.answer(true);
  await second;
  assert.equal(commit.unwritten, null);
  assert.deepEqual(receiver.got, [
    { number: 1, args: ['a', 1, 'b', 2] },
    { number: 2, args: ['c', 3] },
  ]);
});

test('a batch that could not be written is sent again as it was, before all others', async () => {
  const receiver = new Receiver();
  const { commit } = receiver;
  commit.resume();
  commit.add('a');
  const first = commit.written();
  await receiver.answer(false);
  commit.add('b');
  const second = commit.written();
  let settled = false;
  void first.then(() => {
    settled = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(settled, false);
  commit.resume();
  await receiver.answer(true);
  await first;
  await receiver.answer(true);
  await second;
  assert.deepEqual(receiver.got, [
    { number: 1, args: ['a'] },
    { number: 1, args: ['a'] },
    { number: 2, args: ['b'] },
  ]);
});

test('nothing is sent before it is wanted, and a batch has its bound', async () => {
  const receiver = new Receiver();
  const { commit } = receiver;
  for (let i = 0; i < 50_000; i++) commit.add('x');
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(receiver.got.length, 0);
  commit.resume();
  const written = commit.written();
  for (let i = 0; i < 3; i++) await receiver.answer(true);
  await written;
  assert.deepEqual(
    receiver.got.map(({ args }) => args.length),
    [20_000, 20_000, 10_000],
  );
});
