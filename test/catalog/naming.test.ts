import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  dateFolder,
  fileName,
  isServedName,
  isStreamName,
  parseFileName,
  streamFolder,
} from '../../src/catalog/naming.js';
import { DAY } from './parquet.js';

test('a name tells keys and number, and is read back', () => {
  const name = fileName(DAY, DAY + 5, 17);
  assert.equal(name, '1732331200000000~1732331200000005_17.parquet');
  assert.deepEqual(parseFileName(name), { firstKey: DAY, lastKey: DAY + 5, seq: 17 });
  assert.deepEqual(parseFileName('0~0_0.parquet'), { firstKey: 0, lastKey: 0, seq: 0 });
  const top = Number.MAX_SAFE_INTEGER;
  assert.deepEqual(parseFileName(fileName(top, top, top)), { firstKey: top, lastKey: top, seq: top });
});

test('a name that was not made by fileName tells nothing', () => {
  const names = [
    '',
    '.parquet',
    '1~2.parquet',
    '1~2_3',
    '1~2_3.parquet.tmp',
    '1~2_3.parquet.corrupt',
    '2~1_3.parquet',
    '01~2_3.parquet',
    '-1~2_3.parquet',
    '1.5~2_3.parquet',
    '1e3~2000_3.parquet',
    '1~2_3.parquet\n',
    ' 1~2_3.parquet',
    '../1~2_3.parquet',
    '1~9007199254740992_3.parquet',
    '1~2_9007199254740992.parquet',
    '1~12345678901234567_3.parquet',
    '١~٢_٣.parquet',
  ];
  for (const name of names) assert.equal(parseFileName(name), null, JSON.stringify(name));
});

test('the folder is the UTC day of the first key', () => {
  assert.equal(dateFolder(DAY), 'date=2024-11-23');
  assert.equal(dateFolder(0), 'date=1970-01-01');
  const midnight = Date.UTC(2024, 10, 24) * 1000;
  assert.equal(dateFolder(midnight - 1), 'date=2024-11-23');
  assert.equal(dateFolder(midnight), 'date=2024-11-24');
  assert.equal(dateFolder(Number.MAX_SAFE_INTEGER), 'date=2255-06-05');
});

test('only a legal stream name becomes a path', () => {
  assert.equal(streamFolder('vehicle_1-a'), 'streams/vehicle_1-a');
  for (const name of ['', '.', '..', '../x', 'a/b', 'A', 'a b', 'x'.repeat(65), 'a\n']) {
    assert.equal(isStreamName(name), false, JSON.stringify(name));
    assert.throws(() => streamFolder(name), { code: 'INTERNAL' }, JSON.stringify(name));
  }
});

test('a served name has nothing that means something in a topic, a URL or a path', () => {
  for (const name of [fileName(1, 2, 3), 'merged.parquet', 'a_b-c=1.parquet'])
    assert.ok(isServedName(name), name);
  for (const name of [
    '.parquet',
    '.x.parquet',
    '+.parquet',
    'a#.parquet',
    'a/b.parquet',
    'a b.parquet',
    'ä.parquet',
  ])
    assert.equal(isServedName(name), false, name);
});
