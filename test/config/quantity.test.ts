import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duration, size, whole } from '../../src/config/quantity.js';

const messageOf = (result: { error?: { issues: { message: string }[] } | undefined }) =>
  result.error?.issues[0]?.message;

test('sizes become bytes', () => {
  const cases: [number | string, number][] = [
    [0, 0],
    [1024, 1024],
    ['10B', 10],
    ['4KiB', 4096],
    ['4KB', 4000],
    ['500MB', 500e6],
    ['64MiB', 64 * 2 ** 20],
    ['1GiB', 2 ** 30],
    ['2 TiB', 2 * 2 ** 40],
    [' 1TB ', 1e12],
  ];
  for (const [input, bytes] of cases) assert.equal(size().parse(input), bytes, String(input));
});

test('durations become milliseconds', () => {
  const cases: [number | string, number][] = [
    [250, 250],
    ['250ms', 250],
    ['60s', 60_000],
    ['10m', 600_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['0s', 0],
  ];
  for (const [input, ms] of cases) assert.equal(duration().parse(input), ms, String(input));
});

test('what is no quantity is refused with an example of one', () => {
  const bad = ['', '1024', '64mib', '64Mb', '1.5GiB', '-1B', 'MiB', '1 000B', '1e3B', '12345678901234567B'];
  for (const input of [...bad, 1.5, Number.NaN, Number.POSITIVE_INFINITY, true, null, [], {}]) {
    assert.match(messageOf(size().safeParse(input)) ?? 'accepted', /^expected a size such as 64MiB/);
  }
  for (const input of ['', '60', '60S', '0.5ms', '1y', '60s5ms', 0.1, false]) {
    assert.match(messageOf(duration().safeParse(input)) ?? 'accepted', /^expected a duration such as 250ms/);
  }
});

test('bounds are shown in the largest unit that fits', () => {
  const limited = size({ min: 4096, max: 2 ** 31 });
  assert.equal(messageOf(limited.safeParse('4KB')), 'must be at least 4KiB, got "4KB"');
  assert.equal(messageOf(limited.safeParse(2 ** 31 + 1)), 'must be at most 2GiB, got 2147483649');
  assert.equal(messageOf(size().safeParse(-1)), 'must be at least 0, got -1');
  assert.equal(messageOf(duration({ max: 86_400_000 }).safeParse('25h')), 'must be at most 1d, got "25h"');
  assert.match(messageOf(size().safeParse('9999999TiB')) ?? 'accepted', /^must be at most /);
});

test('the bounds themselves are accepted', () => {
  const limited = size({ min: 1024, max: 1_048_576 });
  assert.equal(limited.parse('1KiB'), 1024);
  assert.equal(limited.parse('1MiB'), 1_048_576);
  assert.equal(whole(2, 4).parse(2), 2);
  assert.equal(whole(2, 4).parse(4), 4);
});

test('counts are whole numbers that a double holds exactly', () => {
  for (const input of [1.5, '3', Number.NaN, 2 ** 53, 1e300, -1]) {
    assert.equal(whole(0).safeParse(input).success, false, String(input));
  }
});
