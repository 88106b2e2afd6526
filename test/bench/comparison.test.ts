import assert from 'node:assert/strict';
import { test } from 'node:test';
import { against, goals } from '../../bench/comparison.js';
import { isMet, type Row } from '../../bench/table.js';

function row(who: string, rate: number, failure: string | null = null): Row {
  return { case: 'a', who, ours: who === 'us', samples: failure === null ? [{ rate }] : [], failure };
}

const WANTED = goals('a', 'rate', 'messages/s', true, { mosquitto: 2, aedes: 4 });

test('a goal is the ratio to a peer', () => {
  const rows = [row('us', 300), row('mosquitto 2', 100), row('aedes 1', 100)];
  const targets = WANTED.flatMap((goal) => against(rows, 'us', goal));
  assert.deepEqual(
    targets.map(({ value, limit }) => [value, limit]),
    [
      [3, 2],
      [3, 4],
    ],
  );
  assert.deepEqual(targets.map(isMet), [true, false]);
});

test('a peer that is not here, or has no figure, sets no goal; one that we failed is missed', () => {
  const [mosquitto, aedes] = WANTED;
  const rows = [row('us', 0, 'lost'), row('mosquitto 2', 100)];
  assert.deepEqual(against(rows, 'us', aedes), []);
  assert.deepEqual(against([row('us', 1), row('mosquitto 2', 0, 'lost')], 'us', mosquitto), []);
  assert.deepEqual(against(rows, 'us', mosquitto).map(isMet), [false]);
});
