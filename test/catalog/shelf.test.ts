import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareEntries, type FileEntry, type KeyRange } from '../../src/catalog/entry.js';
import { Shelf } from '../../src/catalog/shelf.js';
import { generator } from './generator.js';

function entry(firstKey: number, lastKey: number, seq: number): FileEntry {
  const name = `${firstKey}~${lastKey}_${seq}.parquet`;
  return {
    stream: 's',
    name,
    path: `p/${name}`,
    firstKey,
    lastKey,
    seq,
    rows: seq,
    bytes: 10 * seq,
    rawBytes: 10,
    sha256: null,
  };
}

/** What the shelf must answer, found by looking at every file. */
function linear(files: readonly FileEntry[], ranges: readonly KeyRange[]): FileEntry[] {
  const overlaps = ({ firstKey, lastKey }: FileEntry) =>
    ranges.some(({ start, end }) => start <= end && firstKey <= end && lastKey >= start);
  return files.filter(overlaps).sort(compareEntries);
}

for (const [kind, spread] of [
  ['apart', 0],
  ['overlapping', 40],
] as const) {
  test(`look-ups agree with a linear model: files ${kind}`, () => {
    const random = generator(11 + spread);
    const below = (limit: number) => Math.floor(random() * limit);
    for (let round = 0; round < 60; round += 1) {
      const shelf = new Shelf();
      let model: FileEntry[] = [];
      let key = 0;
      for (let seq = 1; seq <= 60; seq += 1) {
        const firstKey = spread === 0 ? key + below(5) : below(300);
        const file = entry(firstKey, firstKey + below(spread || 10), seq);
        key = file.lastKey + 1;
        shelf.add(file);
        model.push(file);
        if (below(8) === 0) {
          const leaving = model.filter(() => below(6) === 0);
          shelf.remove(leaving);
          model = model.filter((left) => !leaving.includes(left));
        }
        const ranges = Array.from({ length: below(4) }, () => {
          const start = below(340) - 20;
          return { start, end: start + below(60) - 5 };
        });
        assert.deepEqual(shelf.within(ranges), linear(model, ranges), JSON.stringify(ranges));
      }
      assert.deepEqual(shelf.files, [...model].sort(compareEntries));
      const rows = model.reduce((sum, file) => sum + file.rows, 0);
      assert.deepEqual(shelf.totals, { files: model.length, rows, bytes: 10 * rows });
    }
  });
}

test('both ends of a range are inclusive, a reversed or impossible one holds nothing', () => {
  const shelf = new Shelf();
  const [a, b] = [entry(10, 20, 1), entry(21, 30, 2)];
  shelf.add(b);
  shelf.add(a);
  const found = (start: number, end: number) => shelf.within([{ start, end }]).map(({ seq }) => seq);
  assert.deepEqual(found(0, 9), []);
  assert.deepEqual(found(0, 10), [1]);
  assert.deepEqual(found(20, 21), [1, 2]);
  assert.deepEqual(found(30, 99), [2]);
  assert.deepEqual(found(31, 99), []);
  assert.deepEqual(found(25, 15), []);
  assert.deepEqual(found(Number.NaN, 15), []);
  assert.deepEqual(found(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY), [1, 2]);
  assert.deepEqual(shelf.within([]), []);
});

test('removing what is not there changes nothing', () => {
  const shelf = new Shelf();
  shelf.add(entry(1, 2, 1));
  shelf.remove([entry(3, 4, 2)]);
  assert.deepEqual(shelf.totals, { files: 1, rows: 1, bytes: 10 });
});
