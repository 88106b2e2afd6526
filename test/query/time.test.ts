import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTime } from '../../src/query/time.js';
import { randomOf } from './fixture.js';

const NOW = 1_732_330_000_123_456;
const time = (value: number | string) => parseTime(value, NOW, 'start');

test('numbers are microseconds since the epoch', () => {
  assert.equal(time(0), 0);
  assert.equal(time(NOW), NOW);
  assert.equal(time(Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
});

test('ISO 8601 with a zone is precise to the microsecond', () => {
  const cases: [string, number][] = [
    ['1970-01-01', 0],
    ['1970-01-01T00:00Z', 0],
    ['1970-01-01T00:00:00.000001Z', 1],
    ['2024-11-23', 1_732_320_000_000_000],
    ['2024-11-23T02:46:40Z', 1_732_330_000_000_000],
    ['2024-11-23T02:46:40.1Z', 1_732_330_000_100_000],
    ['2024-11-23T02:46:40.123456Z', 1_732_330_000_123_456],
    ['2024-11-23T03:46:40.123456+01:00', 1_732_330_000_123_456],
    ['2024-11-22T21:16:40.123456-0530', 1_732_330_000_123_456],
    ['2024-02-29T12:00:00Z', 1_709_208_000_000_000],
    ['1970-01-01T01:00:00+01:00', 0],
  ];
  for (const [text, micros] of cases) assert.equal(time(text), micros, text);
});

test('any microsecond of any day is read back as it was written', () => {
  const random = randomOf(7);
  for (let i = 0; i < 500; i++) {
    const millis = Math.floor(random() * 4e12);
    const micros = Math.floor(random() * 1000);
    const text = new Date(millis).toISOString().replace('Z', `${String(micros).padStart(3, '0')}Z`);
    assert.equal(time(text), millis * 1000 + micros, text);
  }
});

test('times before now', () => {
  const cases: [string, number][] = [
    ['now', 0],
    ['-0s', 0],
    ['-100us', 100],
    ['-250ms', 250_000],
    ['-30s', 30_000_000],
    ['-10m', 600_000_000],
    ['-1.5h', 5_400_000_000],
    ['-0.0000015s', 2],
    ['-7d', 604_800_000_000],
  ];
  for (const [text, before] of cases) assert.equal(time(text), NOW - before, text);
});

test('everything else is refused, and the error names the time and the forms', () => {
  const cases: (number | string)[] = [
    '',
    'yesterday',
    'NOW',
    '10m',
    '+10m',
    '-10',
    '-m',
    '--10m',
    '-1e3s',
    '-10M',
    '- 10m',
    '-10m ',
    '1732330000000000',
    '2024-11-23T02:46:40',
    '2024-11-23 02:46:40Z',
    '2024-11-23T02Z',
    '2024-11-23T24:00:00Z',
    '2024-11-23T02:60:00Z',
    '2024-11-23T02:46:60Z',
    '2024-11-23T02:46:40.Z',
    '2024-11-23T02:46:40.1234567Z',
    '2024-11-23T02:46:40+24:00',
    '2024-11-23T02:46:40+01:60',
    '2024-13-01',
    '2024-00-01',
    '2024-02-30',
    '2023-02-29',
    '2024-01-00',
    '24-01-01',
    '٢٠٢٤-01-01',
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1.5,
  ];
  for (const value of cases) {
    assert.throws(
      () => time(value),
      { code: 'REQUEST_BAD_RANGE', message: /start: .* is not a time; use microseconds/s },
      String(value),
    );
  }
});

test('times before 1970 and from 2^53 microseconds on are refused', () => {
  const early = [
    -1,
    '1969-12-31',
    '0050-01-01',
    '1970-01-01T00:00:00+01:00',
    '-100000d',
    '-9999999999999999d',
  ];
  for (const value of [...early, 2 ** 53, 1e300, '2256-01-01', '9999-12-31']) {
    const message = /is not between the years 1970 and 2255/;
    assert.throws(() => time(value), { code: 'REQUEST_BAD_RANGE', message }, String(value));
  }
});

test('an error shows only the beginning of a long text', () => {
  assert.throws(
    () => time('x'.repeat(100_000)),
    (error: Error) => error.message.length < 400,
  );
});
