import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, type TestContext, test } from 'node:test';
import { type DuckDBBlobValue, type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { Compression } from '../../../src/recorder/files/parquet.js';
import type { Message } from '../../../src/ring/record.js';
import { generator } from '../../catalog/generator.js';
import { noise, type Sample, sample, sourceOf } from '../../ring/samples.js';
import { encoded } from '../encoded.js';

const FIRST_KEY = 1_732_330_000_000_001;
const CODECS: Readonly<Record<Compression, string>> = {
  none: 'UNCOMPRESSED',
  snappy: 'SNAPPY',
  gzip: 'GZIP',
  brotli: 'BROTLI',
  zstd: 'ZSTD',
  lz4: 'LZ4_RAW',
};
/** As the default, except that a text may begin with a byte order mark. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const METADATA = new Map([
  ['mqtt-stream.stream', 'vehicle'],
  ['mqtt-stream.version', '1.2.3'],
]);

function samples(): Sample[] {
  const random = generator(21);
  const weird = ['  spaces  ', '__proto__', 'constructor', 'tab\tquote"', '€/日本/😀', 't'.repeat(65_000)];
  const some = Array.from({ length: 300 }, (_, i) => sample(random, FIRST_KEY + i * 7, i % 5 === 0 ? 0 : i));
  const named = weird.map((topic, i) =>
    sample(random, FIRST_KEY + 3000 + i, 20, sourceOf(topic, i % 2 === 0 ? topic : null)),
  );
  const large = sample(random, FIRST_KEY + 4000, 0);
  const payload = noise(random, 1024 * 1024, 3);
  return [...some, ...named, { ...large, message: { ...large.message, payload } }];
}

async function onDisk(t: TestContext, bytes: Uint8Array): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mqtt-stream-recorder-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'x.parquet');
  await writeFile(path, bytes);
  return path;
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}

/** One row at a time: a difference of 300 rows is nothing to read. */
function assertRows(found: readonly object[], rows: readonly Sample[]): void {
  assert.equal(found.length, rows.length);
  for (const [i, { message }] of rows.entries()) {
    assert.deepEqual(found[i], { ...message, payload: Buffer.from(message.payload) });
  }
}

let duckdb: DuckDBConnection;
before(async () => {
  duckdb = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
});

for (const compression of Object.keys(CODECS) as Compression[]) {
  test(`${compression}: DuckDB and hyparquet read every column of every row, in order`, async (t) => {
    const rows = samples();
    const bytes = encoded(rows, compression, METADATA);

    const read = await parquetReadObjects({
      file: bufferOf(bytes),
      compressors,
      utf8: false,
      parsers: {
        timestampFromMicroseconds: (key: bigint) => key,
        stringFromBytes: (text: Uint8Array) => decoder.decode(text),
      },
    });
    const hyparquet = read.map(
      (row): Message => ({
        key: Number(row.ts),
        topic: row.topic,
        clientId: row.client_id ?? null,
        qos: row.qos,
        retain: row.retain,
        properties: row.properties ?? null,
        payload: Buffer.from(row.payload),
      }),
    );
    assertRows(hyparquet, rows);

    const path = await onDisk(t, bytes);
    const result = await duckdb.runAndReadAll(
      `SELECT epoch_us(ts), encode(topic), client_id, qos, retain, properties, payload FROM '${path}'`,
    );
    const duck = result.getRows().map(([key, name, clientId, qos, retain, properties, blob]) => {
      const topic = decoder.decode((name as DuckDBBlobValue).bytes);
      const payload = Buffer.from((blob as DuckDBBlobValue).bytes);
      return { key: Number(key), topic, clientId, qos, retain, properties, payload };
    });
    assertRows(duck, rows);
  });
}

describe('the file', () => {
  test('has the types, encodings and metadata of the interface', async (t) => {
    const bytes = encoded(samples(), 'zstd', METADATA);
    const metadata = parquetMetadata(bufferOf(bytes));
    assert.equal(metadata.created_by, 'mqtt-stream version 1.2.3');
    const pairs = new Map(metadata.key_value_metadata!.map(({ key, value }) => [key, value]));
    for (const [key, value] of METADATA) assert.equal(pairs.get(key), value);
    assert.equal(metadata.row_groups.length, 1);

    const path = await onDisk(t, bytes);
    const schema = await duckdb.runAndReadAll(
      `SELECT name, type, repetition_type, logical_type FROM parquet_schema('${path}') OFFSET 1`,
    );
    const timestamp =
      'TimestampType(isAdjustedToUTC=1, unit=TimeUnit(MILLIS=<null>, MICROS=MicroSeconds(), NANOS=<null>))';
    assert.deepEqual(schema.getRows(), [
      ['ts', 'INT64', 'REQUIRED', timestamp],
      ['topic', 'BYTE_ARRAY', 'REQUIRED', 'StringType()'],
      ['client_id', 'BYTE_ARRAY', 'OPTIONAL', 'StringType()'],
      ['qos', 'INT32', 'REQUIRED', null],
      ['retain', 'BOOLEAN', 'REQUIRED', null],
      ['properties', 'BYTE_ARRAY', 'OPTIONAL', 'StringType()'],
      ['payload', 'BYTE_ARRAY', 'REQUIRED', null],
    ]);

    const columns = new Map(
      metadata.row_groups[0]!.columns.map((column) => [column.meta_data!.path_in_schema[0], column]),
    );
    const encodings = (name: string) => columns.get(name)!.meta_data!.encodings;
    assert.ok(encodings('ts').includes('DELTA_BINARY_PACKED'));
    assert.equal(columns.get('ts')!.meta_data!.dictionary_page_offset, undefined);
    assert.ok(encodings('topic').includes('RLE_DICTIONARY'));
    assert.ok(encodings('client_id').includes('RLE_DICTIONARY'));
    assert.deepEqual(encodings('payload').toSorted(), ['PLAIN', 'RLE']);
    assert.equal(columns.get('payload')!.meta_data!.statistics, undefined);
    for (const [name, column] of columns) {
      assert.equal(column.meta_data!.codec, name === 'payload' ? 'UNCOMPRESSED' : 'ZSTD', name);
      assert.ok(column.offset_index_offset !== undefined, `${name} has an offset index`);
    }
    assert.ok(columns.get('ts')!.column_index_offset !== undefined);
  });

  test('has pages small enough to read a few rows of a large file', () => {
    const random = generator(22);
    const rows = Array.from({ length: 4000 }, (_, i) => sample(random, FIRST_KEY + i, 1000));
    const metadata = parquetMetadata(bufferOf(encoded(rows, 'none', METADATA)));
    const payload = metadata.row_groups[0]!.columns[6]!;
    // ~20 bytes an entry of the offset index at most: offset, size, first row.
    const bytes = Number(payload.meta_data!.total_uncompressed_size);
    assert.ok(payload.offset_index_length! > (bytes / (192 * 1024)) * 5, 'many pages');
  });

  for (const compression of Object.keys(CODECS) as Compression[]) {
    test(`is compressed as ${CODECS[compression]} for ${compression}`, () => {
      const metadata = parquetMetadata(bufferOf(encoded(samples().slice(0, 10), compression, METADATA)));
      for (const { meta_data } of metadata.row_groups[0]!.columns) {
        // Noise does not become smaller.
        const isPayload = meta_data!.path_in_schema[0] === 'payload';
        assert.equal(meta_data!.codec, isPayload ? 'UNCOMPRESSED' : CODECS[compression]);
      }
    });
  }
});
