import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemTime } from '../../src/clock/time.js';

const uptime = () => Number(process.hrtime.bigint()) / 1e3;

test('monotonic time has the origin of the machine, not of the process', () => {
  const before = uptime();
  const [first, second] = [systemTime(), systemTime()];
  const readings = [first.monotonic(), second.monotonic()];
  const after = uptime();
  // One microsecond for what a double cannot hold.
  for (const reading of readings) assert.ok(reading >= before - 1 && reading <= after + 1);
});

test('monotonic time never goes back', () => {
  const time = systemTime();
  let last = time.monotonic();
  for (let i = 0; i < 10_000; i++) {
    const reading = time.monotonic();
    assert.ok(reading >= last);
    last = reading;
  }
});

test('the wall clock is that of Date in microseconds, within 2 ms', () => {
  const before = Date.now() * 1000;
  const wall = systemTime().wall();
  assert.ok(wall >= before - 2000 && wall <= Date.now() * 1000 + 2000);
});

test('a boot has one id', { skip: process.platform !== 'linux' }, () => {
  assert.match(systemTime().bootId, /^[0-9a-f-]{36}$/);
  assert.equal(systemTime().bootId, systemTime().bootId);
});
