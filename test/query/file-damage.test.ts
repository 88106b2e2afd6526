/** Files that are not what they should be: an error that says so, or the right rows; never a hang or a crash. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parquetMetadata } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { type BasicType, parquetWriteBuffer } from 'hyparquet-writer';
import { Compression } from 'parquet-wasm';
import { scanFile } from '../../src/query/file-scan.js';
import type { Message } from '../../src/ring/record.js';
import { parquetBytes, randomMessages, randomOf, tempFolder } from './fixture.js';

async function countRows(path: string): Promise<number> {
  const whole = { path, start: 0, end: Number.MAX_SAFE_INTEGER, topic: null };
  let rows = 0;
  for await (const batch of scanFile(whole, new AbortController().signal)) rows += batch.keys.length;
  return rows;
}

test('a file that is cut short is refused, wherever it was cut', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  const bytes = parquetBytes(randomMessages(1, 500), { rowGroupRows: 200 });
  const random = randomOf(1);
  const lengths = [0, 1, 4, 8, 11, 12, 13, bytes.length - 1, bytes.length - 8];
  for (let i = 0; i < 40; i++) lengths.push(Math.floor(random() * bytes.length));
  for (const length of lengths) {
    await writeFile(path, bytes.subarray(0, length));
    await assert.rejects(countRows(path), Error, `${length} bytes`);
  }
});

test('a file whose beginning is missing is refused', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  const bytes = parquetBytes(randomMessages(1, 500));
  await writeFile(path, bytes.subarray(1000));
  await assert.rejects(countRows(path));
});

test('noise in the pages, the indexes or the footer never hangs', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  const random = randomOf(2);
  const upTo = (limit: number) => Math.floor(random() * limit);
  let refused = 0;
  const codecs = [Compression.ZSTD, Compression.SNAPPY, Compression.UNCOMPRESSED, Compression.GZIP];
  const sound = codecs.map((compression, seed) =>
    parquetBytes(randomMessages(seed, 200), { compression, rowGroupRows: 80, pageBytes: 1000 }),
  );
  for (let i = 0; i < 300; i++) {
    const bytes = sound[upTo(sound.length)]!.slice();
    // Every other time near the end, where the structure is.
    const from = i % 2 === 0 ? 4 : bytes.length - 3000;
    for (let hit = 0; hit <= upTo(4); hit++) bytes[from + upTo(bytes.length - from)] = upTo(256);
    await writeFile(path, bytes);
    try {
      await countRows(path);
    } catch (error) {
      assert.ok(error instanceof Error);
      refused += 1;
    }
  }
  assert.ok(refused > 50, `${refused} of 300 refused`);
});

test('a run of values that is longer than its page is refused before it fills memory', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  const messages = randomMessages(1, 200).map((message) => ({ ...message, clientId: null }));
  const bytes = parquetBytes(messages, { compression: Compression.UNCOMPRESSED });
  const [group] = parquetMetadata(bytes).row_groups;
  const column = group!.columns.find(({ meta_data: meta }) => meta!.path_in_schema[0] === 'client_id')!;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reader = { view, offset: Number(column.meta_data!.data_page_offset) };
  parquetHeader(reader);
  // One run of 200 nulls behind its length: 200 << 1 as a varint.
  assert.deepEqual([...bytes.subarray(reader.offset + 4, reader.offset + 6)], [0x90, 0x03]);
  bytes.set([0xfe, 0x7f], reader.offset + 4);
  await writeFile(path, bytes);
  await assert.rejects(countRows(path), { message: 'a run of values is longer than its page' });
});

type Columns = Record<string, [type: BasicType, data: unknown[], nullable?: boolean]>;

/** A file of one row with other columns than the recorder's where `columns` says so. */
async function write(path: string, columns: Columns): Promise<void> {
  const sound: Columns = {
    ts: ['INT64', [5n]],
    topic: ['STRING', ['a']],
    client_id: ['STRING', ['c']],
    qos: ['INT32', [0]],
    retain: ['BOOLEAN', [true]],
    properties: ['STRING', ['{}']],
    payload: ['BYTE_ARRAY', [new Uint8Array(1)]],
  };
  const columnData = Object.entries({ ...sound, ...columns })
    .filter(([, [, data]]) => data.length > 0)
    .map(([name, [type, data, nullable = false]]) => ({ name, type, data, nullable }));
  await writeFile(path, Buffer.from(parquetWriteBuffer({ columnData })));
}

test('columns with values that the recorder does not write are refused', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  await write(path, {});
  assert.equal(await countRows(path), 1);
  const cases: [Columns, RegExp][] = [
    [{ topic: ['STRING', []] }, /no usable column topic/],
    [{ payload: ['BYTE_ARRAY', []] }, /no usable column payload/],
    [{ ts: ['INT32', [5]] }, /row 0 has no usable key/],
    [{ ts: ['DOUBLE', [5]] }, /row 0 has no usable key/],
    [{ ts: ['INT64', [2n ** 60n]] }, /row 0 has no usable key/],
    [{ ts: ['INT64', [null], true] }, /row 0 has no usable key/],
    [{ topic: ['STRING', [null], true] }, /row 0 has no topic/],
    [{ qos: ['INT32', [3]] }, /row 0 has a value that the recorder does not write/],
    [{ retain: ['INT32', [1]] }, /row 0 has a value/],
    [{ client_id: ['INT32', [1]] }, /row 0 has a value/],
    [{ payload: ['STRING', ['text']] }, /row 0 has a value/],
    [{ payload: ['BYTE_ARRAY', [null], true] }, /row 0 has a value/],
  ];
  for (const [columns, message] of cases) {
    await write(path, columns);
    await assert.rejects(countRows(path), { message }, String(message));
  }
});

test('rows that do not ascend are refused', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  const messages: Message[] = randomMessages(3, 100);
  const swapped = messages.with(50, messages[51]!).with(51, messages[50]!);
  await writeFile(path, parquetBytes(swapped));
  await assert.rejects(countRows(path), { message: /its keys do not ascend/ });
});
