import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failures } from '../../../src/broker/access/failures.js';

class Time {
  now = 0;
  readonly slept: number[] = [];
  wake: (() => void)[] = [];

  sleep(ms: number): Promise<void> {
    this.slept.push(ms);
    return new Promise((resolve) => this.wake.push(resolve));
  }

  async end(): Promise<void> {
    for (const wake of this.wake.splice(0)) wake();
    await new Promise(setImmediate);
  }
}

function failuresOf(time: Time): Failures {
  return new Failures({ now: () => time.now, sleep: (ms) => time.sleep(ms) });
}

test('the delay grows with the failures of an address, up to a bound, and is forgotten', async () => {
  const time = new Time();
  const failures = failuresOf(time);
  for (let i = 0; i < 40; i++) {
    void failures.add('a');
    await time.end();
  }
  assert.deepEqual(time.slept.slice(0, 8), [50, 100, 200, 400, 800, 1600, 2000, 2000]);
  assert.ok(time.slept.every((ms) => ms <= 2000));
  assert.equal(failures.of('a'), 40);
  time.now += 600_001;
  void failures.add('a');
  assert.equal(time.slept.at(-1), 50);
  assert.equal(failures.of('a'), 1);
  assert.equal(failures.of('b'), 0);
  assert.equal(failures.total, 41);
});

test('a flood of failures of an address is one timer, and all are answered at its end', async () => {
  const time = new Time();
  const failures = failuresOf(time);
  let answered = 0;
  for (let i = 0; i < 1000; i++) void failures.add('a').then(() => answered++);
  void failures.add('b');
  assert.deepEqual(time.slept, [50, 50]);
  assert.equal(answered, 0);
  await time.end();
  assert.equal(answered, 1000);
});

test('so many addresses are known, those that failed last', () => {
  const failures = failuresOf(new Time());
  for (let i = 0; i < 12_000; i++) void failures.add(`${i}`);
  assert.equal(failures.addresses, 10_000);
  assert.deepEqual([failures.of('1999'), failures.of('2000'), failures.of('11999')], [0, 1, 1]);
  void failures.add('2000');
  void failures.add('new');
  assert.deepEqual([failures.of('2000'), failures.of('2001')], [2, 0]);
});
