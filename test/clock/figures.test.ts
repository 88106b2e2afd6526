import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clock } from '../../src/clock/clock.js';
import { clockFigures } from '../../src/clock/figures.js';
import { FakeTime, HOUR, SECOND, TODAY } from './machine.js';

const start = { floor: 0, base: null, corrections: [] };

test('a clock that is right, steps, and falls back to what cannot be', () => {
  const time = new FakeTime();
  const clock = new Clock(time, start);
  const told = () => clockFigures(clock).map(([topic, text]) => `${topic} ${text}`);
  assert.deepEqual(told(), ['clock/state trusted', 'clock/offset 0.000000', 'clock/corrections 0']);
  time.advance(SECOND);
  time.step(-HOUR);
  // Nobody has given a key meanwhile.
  assert.deepEqual(told(), ['clock/state trusted', 'clock/offset -3600.000000', 'clock/corrections 1']);
  time.advance(SECOND);
  time.step(-TODAY);
  assert.deepEqual(told(), ['clock/state wrong', 'clock/offset -3600.000000', 'clock/corrections 1']);
  time.step(TODAY);
  time.advance(SECOND);
  assert.equal(told()[0], 'clock/state trusted');
});

test('a boot at 1970 is doubtful until the clock is set', () => {
  const time = new FakeTime(2 * SECOND, 2 * SECOND);
  const clock = new Clock(time, start);
  const state = () => clockFigures(clock).map(([, text]) => text);
  assert.deepEqual(state().slice(0, 2), ['doubtful', '0.000000']);
  time.advance(SECOND);
  time.step(TODAY);
  assert.deepEqual(state().slice(0, 2), ['trusted', `${TODAY / SECOND}.000000`]);
});
