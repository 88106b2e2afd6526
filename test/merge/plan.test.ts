import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileEntry } from '../../src/catalog/entry.js';
import { dateFolder, fileName } from '../../src/catalog/naming.js';
import { limitsOf, nextMerge } from '../../src/merge/plan.js';
import { generator } from '../catalog/generator.js';
import { DAY, DAY_MICROS } from '../catalog/parquet.js';
import { whole } from '../ring/samples.js';

const NOTHING = new Set<string>();
const FOREVER = { maxBytes: 0, maxAge: 0, maxFiles: 0 };
const LIMITS = limitsOf(1000, FOREVER);

/** Files of so many raw bytes, one a second from `from` on. */
function filesOf(sizes: readonly number[], from = DAY, seq = 1): FileEntry[] {
  return sizes.map((rawBytes, i) => {
    const firstKey = from + i * 1_000_000;
    return entry(firstKey, firstKey + 999_999, seq + i, rawBytes);
  });
}

function entry(firstKey: number, lastKey: number, seq: number, rawBytes: number): FileEntry {
  const name = fileName(firstKey, lastKey, seq);
  const path = `streams/s/${dateFolder(firstKey)}/${name}`;
  return {
    stream: 's',
    name,
    path,
    firstKey,
    lastKey,
    seq,
    rows: 1,
    bytes: rawBytes / 10,
    rawBytes,
    sha256: null,
  };
}

const times = (count: number, size: number) => new Array<number>(count).fill(size);
const next = (
  files: readonly FileEntry[],
  limits = LIMITS,
  unfit: ReadonlySet<string> = NOTHING,
  fences: readonly number[] = [],
) => nextMerge(files, limits, unfit, fences).map(({ seq }) => seq);
const from = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

test('sixteen small files of the day are enough, or as many as fill one; all there are at once', () => {
  assert.deepEqual(next([]), []);
  assert.deepEqual(next(filesOf([5])), []);
  assert.deepEqual(next(filesOf(times(15, 10))), []);
  assert.deepEqual(next(filesOf(times(16, 10))), from(1, 16));
  assert.deepEqual(next(filesOf(times(40, 10))), from(1, 40));
  assert.deepEqual(next(filesOf(times(300, 1))), from(1, 256));
  assert.deepEqual(next(filesOf(times(9, 200))), from(1, 5));
  assert.deepEqual(next(filesOf(times(4, 200))), []);
});

test('what was merged is not written again for a few small ones', () => {
  assert.deepEqual(next(filesOf([160, ...times(15, 10)])), []);
  assert.deepEqual(next(filesOf([160, ...times(16, 10)])), from(2, 17));
  assert.deepEqual(next(filesOf([...times(15, 10), 160])), []);
  assert.deepEqual(next(filesOf([...times(16, 10), 160])), from(1, 16));
  assert.deepEqual(next(filesOf(times(5, 300))), []);
  assert.deepEqual(next(filesOf([900, 90, 90])), []);
});

test('of a day that is over few files are left', () => {
  const later = entry(DAY + DAY_MICROS, DAY + DAY_MICROS + 5, 99, 10);
  assert.deepEqual(next([...filesOf([10, 20]), later]), [1, 2]);
  assert.deepEqual(next([...filesOf([900, 90, 20]), later]), [1, 2]);
  assert.deepEqual(next([...filesOf([900, 110]), later]), []);
  assert.deepEqual(next([...filesOf([10]), later]), []);
  // What pays most comes first.
  assert.deepEqual(next([...filesOf([800, 150, ...times(16, 5)]), later]), from(3, 18));
  assert.deepEqual(next([...filesOf(times(300, 1)), later]), from(1, 256));
});

test('files of two days, large ones and those that stay are never among them', () => {
  const today = filesOf(times(15, 10), DAY + DAY_MICROS, 20);
  assert.deepEqual(next([...filesOf([10]), ...today]), []);
  assert.deepEqual(next(filesOf([...times(8, 10), 1000, ...times(8, 10)])), []);
  const files = filesOf(times(17, 10));
  assert.deepEqual(next(files, LIMITS, new Set([files[8]!.path])), []);
  assert.deepEqual(next(files, LIMITS, new Set([files[0]!.path])), from(2, 17));
  const foreign = { ...files[8]!, seq: 0 };
  assert.deepEqual(next(files.map((file) => (file === files[8] ? foreign : file))), []);
});

test('files are not merged around one that may be put back', () => {
  const files = filesOf(times(40, 10));
  const without = files.filter((file) => file !== files[20]);
  const behind = (i: number) => files[i]!.lastKey + 1;
  assert.deepEqual(next(without, LIMITS, NOTHING, [files[20]!.firstKey]), from(1, 20));
  assert.deepEqual(next(files, LIMITS, NOTHING, [behind(30), behind(9), behind(20)]), []);
  assert.deepEqual(next(files, LIMITS, NOTHING, [behind(9), 0, behind(39)]), from(11, 40));
});

test('files whose keys overlap are left alone, with those beside them', () => {
  const files = filesOf(times(40, 10));
  const wide = entry(files[10]!.firstKey, files[12]!.firstKey, 50, 10);
  const all = [...files.slice(0, 11), wide, ...files.slice(11)];
  // 10, the wide one, 11 and 12 have keys of one range.
  assert.deepEqual(next(all), from(14, 40));
});

test('what is kept for a short time or in little room goes in small parts', () => {
  const files = filesOf(times(64, 10));
  assert.deepEqual(next(files, limitsOf(1000, { ...FOREVER, maxAge: 80_000 })), from(1, 10));
  assert.deepEqual(next(files, limitsOf(1000, { ...FOREVER, maxAge: 160_000 })), from(1, 20));
  assert.deepEqual(next(files, limitsOf(1000, { ...FOREVER, maxBytes: 160 })), from(1, 20));
  assert.deepEqual(next(files, limitsOf(1000, { ...FOREVER, maxAge: 1, maxBytes: 1 })), []);
});

test('over weeks of any traffic: few files, none too large, none written again often', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = generator(seed);
    const limits = limitsOf(100_000, FOREVER);
    const files: FileEntry[] = [];
    let key = DAY;
    let [recorded, merged] = [0, 0];
    const largest = whole(random, 1, 3000);
    for (let seq = 1; seq <= 1500; seq++) {
      const firstKey = key + 1;
      key += whole(random, 1, DAY_MICROS / 200);
      const file = entry(firstKey, key, seq, whole(random, 1, largest));
      recorded += file.rawBytes;
      files.push(file);
      for (let group = nextMerge(files, limits, NOTHING, []); group.length > 0; ) {
        const at = files.indexOf(group[0]!);
        assert.deepEqual(files.slice(at, at + group.length), group);
        const raw = group.reduce((sum, { rawBytes }) => sum + rawBytes, 0);
        assert.ok(group.length > 1 && raw <= 100_000);
        assert.equal(new Set(group.map(({ path }) => path.split('/')[2])).size, 1);
        merged += raw;
        const last = group.at(-1)!;
        files.splice(at, group.length, entry(group[0]!.firstKey, last.lastKey, last.seq, raw));
        group = nextMerge(files, limits, NOTHING, []);
      }
    }
    const days = new Set(files.map(({ path }) => path.split('/')[2])).size;
    // Two neighbours of a day together are too large for one; the last day has some of each size.
    assert.ok(
      files.length <= days + (2 * recorded) / 100_000 + 4 * 15,
      `${files.length} files of ${days} days`,
    );
    assert.ok(merged / recorded < 5, `written ${merged / recorded} times again`);
  }
});
