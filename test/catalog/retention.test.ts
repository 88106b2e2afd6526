import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileEntry } from '../../src/catalog/entry.js';
import { expired } from '../../src/catalog/retention.js';

/** Files of ten bytes, with keys 0 to 9 s, 10 to 19 s, and so on. */
const files = Array.from({ length: 5 }, (_, i): FileEntry => {
  const [firstKey, lastKey] = [i * 10_000_000, i * 10_000_000 + 9_000_000];
  const name = `${firstKey}~${lastKey}_${i}.parquet`;
  return {
    stream: 's',
    name,
    path: name,
    firstKey,
    lastKey,
    seq: i,
    rows: 1,
    bytes: 10,
    rawBytes: 20,
    sha256: null,
  };
});
const NOW = 60_000_000;

const left = (limits: { maxBytes?: number; maxFiles?: number; maxAge?: number }, list = files) =>
  expired(list, list.length * 10, { maxBytes: 0, maxFiles: 0, maxAge: 0, ...limits }, (key) => NOW - key).map(
    ({ seq }) => seq,
  );

test('without limits, or within them, nothing goes', () => {
  assert.deepEqual(left({}), []);
  assert.deepEqual(left({ maxBytes: 50, maxFiles: 5, maxAge: 60_000 }), []);
  assert.deepEqual(left({ maxBytes: 1 }, []), []);
});

test('the oldest go until bytes and count are within', () => {
  assert.deepEqual(left({ maxBytes: 49 }), [0]);
  assert.deepEqual(left({ maxBytes: 20 }), [0, 1, 2]);
  assert.deepEqual(left({ maxFiles: 3 }), [0, 1]);
  assert.deepEqual(left({ maxFiles: 3, maxBytes: 10 }), [0, 1, 2, 3]);
});

test('the newest stays for bytes and count, however large', () => {
  assert.deepEqual(left({ maxBytes: 1 }), [0, 1, 2, 3]);
  assert.deepEqual(left({ maxBytes: 1 }, files.slice(0, 1)), []);
});

test('age counts from the last key, and takes the newest too', () => {
  assert.deepEqual(left({ maxAge: 51_000 }), []);
  assert.deepEqual(left({ maxAge: 50_999 }), [0]);
  assert.deepEqual(left({ maxAge: 1 }), [0, 1, 2, 3, 4]);
});

test('what age takes counts for the other limits', () => {
  assert.deepEqual(left({ maxAge: 40_000, maxFiles: 3 }), [0, 1]);
  assert.deepEqual(left({ maxAge: 40_000, maxBytes: 20 }), [0, 1, 2]);
  const old = { ...files[0]!, lastKey: NOW, seq: 9 };
  assert.deepEqual(left({ maxAge: 40_000, maxFiles: 1 }, [old, files[1]!]), [1]);
});
