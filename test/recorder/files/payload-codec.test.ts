import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import type { Compression } from '../../../src/recorder/files/parquet.js';
import { isWorthCompressing } from '../../../src/recorder/files/saving.js';
import { generator } from '../../catalog/generator.js';
import { sample } from '../../ring/samples.js';
import { encoded } from '../encoded.js';

/** Codecs by column of a file with such payloads, as DuckDB sees it after it has read the payloads back. */
async function codecs(t: TestContext, payloads: readonly Uint8Array[], compression: Compression) {
  const random = generator(41);
  const rows = payloads.map((payload, i) => {
    const row = sample(random, i + 1, 0);
    return { ...row, message: { ...row.message, payload } };
  });
  const folder = await mkdtemp(join(tmpdir(), 'mqtt-stream-recorder-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'x.parquet');
  await writeFile(path, encoded(rows, compression, new Map()));
  const duckdb = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
  const read = await duckdb.runAndReadAll(`SELECT hex(payload) FROM '${path}' ORDER BY ts`);
  assert.deepEqual(
    read.getRows().map(([hex]) => hex),
    payloads.map((payload) => Buffer.from(payload).toString('hex').toUpperCase()),
  );
  const found = await duckdb.runAndReadAll(
    `SELECT path_in_schema, compression FROM parquet_metadata('${path}')`,
  );
  return new Map(found.getRows() as [string, string][]);
}

const pictures = () => Array.from({ length: 40 }, () => randomFillSync(new Uint8Array(64 * 1024)));
const readings = () => Array.from({ length: 4000 }, (_, i) => Buffer.from(`{"speed":${i},"unit":"km/h"}`));

for (const compression of ['zstd', 'snappy', 'lz4', 'gzip', 'brotli'] as const) {
  test(`${compression}: payloads that do not become smaller stay as they are, others are compressed`, async (t) => {
    const codec = { zstd: 'ZSTD', snappy: 'SNAPPY', lz4: 'LZ4_RAW', gzip: 'GZIP', brotli: 'BROTLI' }[
      compression
    ];
    for (const [payloads, expected] of [
      [pictures(), 'UNCOMPRESSED'],
      [readings(), codec],
    ] as const) {
      const found = await codecs(t, payloads, compression);
      assert.equal(found.size, 7);
      for (const [column, used] of found) assert.equal(used, column === 'payload' ? expected : codec, column);
    }
  });
}

test('a sample of all parts decides, always in the same way', () => {
  const noise = randomFillSync(new Uint8Array(4 * 1024 * 1024));
  const zeros = new Uint8Array(noise.length);
  assert.equal(isWorthCompressing(noise), false);
  assert.equal(isWorthCompressing(zeros), true);
  for (const share of [0.05, 0.3]) {
    // Repeated parts everywhere.
    const mixed = noise.map((byte, i) => (i % 1024 < share * 1024 ? 7 : byte));
    for (let again = 0; again < 3; again++) assert.equal(isWorthCompressing(mixed), share > 0.1, `${share}`);
  }
  // Small ones are looked at whole.
  assert.equal(isWorthCompressing(Buffer.from('{"speed":1}'.repeat(20))), true);
  assert.equal(isWorthCompressing(randomFillSync(new Uint8Array(1000))), false);
  assert.equal(isWorthCompressing(new Uint8Array(0)), false);
});
