import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Load } from '../../../src/broker/sys/load.js';

const shown = ({ averages }: Load) => averages.map((average) => average.toFixed(2));

test('before anything is counted it is 0', () => {
  assert.deepEqual(shown(new Load()), ['0.00', '0.00', '0.00']);
});

test("mosquitto's figures: 2 packets within the first two seconds, then none for as long", () => {
  const load = new Load();
  load.add(2, 2000);
  assert.deepEqual(shown(load), ['1.97', '0.40', '0.13']);
  load.add(2, 2000);
  assert.deepEqual(shown(load), ['1.90', '0.40', '0.13']);
});

test('an even rate is reached in the end, whatever the interval', () => {
  for (const interval of [100, 10_000, 60_000]) {
    const load = new Load();
    for (let at = interval, i = 1; at < 7_200_000; at += interval, i++)
      load.add(i * (interval / 50), interval);
    for (const average of load.averages) assert.ok(Math.abs(average - 1200) < 1, `${average}`);
  }
});

test('after one period 1/e of what was is left', () => {
  const load = new Load();
  load.add(1e6, 60_000);
  const [one, five] = load.averages;
  load.add(1e6, 60_000);
  assert.ok(Math.abs(load.averages[0] / one - Math.exp(-1)) < 1e-9);
  load.add(1e6, 240_000);
  assert.ok(Math.abs(load.averages[1] / five - Math.exp(-1)) < 1e-9);
});
