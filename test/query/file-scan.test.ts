import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { Compression, WriterVersion } from 'parquet-wasm';
import { messagesOf } from '../../src/query/batch.js';
import { type RowQuery, scanFile } from '../../src/query/file-scan.js';
import type { Message } from '../../src/ring/record.js';
import { topicMatcher } from '../../src/topics.js';
import { FIRST_KEY, randomMessages, randomOf, tempFolder, writeRows } from './fixture.js';

async function scan(path: string, query: Partial<RowQuery> = {}): Promise<Message[]> {
  const found: Message[] = [];
  const whole = { path, start: 0, end: Number.MAX_SAFE_INTEGER, topic: null };
  for await (const batch of scanFile({ ...whole, ...query }, new AbortController().signal)) {
    found.push(...messagesOf(batch));
  }
  return found;
}

/** What a scan has to find. */
function model(messages: readonly Message[], { start, end, topic }: Omit<RowQuery, 'path'>): Message[] {
  const matches = topic === null ? () => true : topicMatcher(topic);
  return messages.filter((message) => message.key >= start && message.key <= end && matches(message.topic));
}

const keys = (messages: readonly Message[]) => messages.map(({ key }) => key);

for (const name of ['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'BROTLI', 'LZ4', 'LZ4_RAW', 'ZSTD'] as const) {
  for (const version of ['V1', 'V2'] as const) {
    test(`${name} in ${version} pages`, async (t) => {
      const path = join(await tempFolder(t), 'a.parquet');
      const messages = randomMessages(1, 1500, { maxPayload: 400 });
      await writeRows(path, messages, {
        compression: Compression[name],
        version: WriterVersion[version],
        rowGroupRows: 600,
        pageBytes: 8192,
      });
      assert.deepEqual(await scan(path), messages);
    });
  }
}

test('both ends of a key range are inclusive', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  const messages = randomMessages(2, 5000).map((message, i) => ({ ...message, key: FIRST_KEY + i * 10 }));
  await writeRows(path, messages, { rowGroupRows: 2048, pageBytes: 4096 });
  const key = (row: number) => FIRST_KEY + row * 10;
  const rows = async (start: number, end: number) =>
    keys(await scan(path, { start, end })).map((found) => (found - FIRST_KEY) / 10);
  // 2047 and 2048 are in two row groups.
  for (const row of [0, 1, 1023, 1024, 2047, 2048, 4095, 4096, 4998, 4999]) {
    assert.deepEqual(await rows(key(row), key(row)), [row]);
    assert.deepEqual(await rows(key(row) - 9, key(row) + 9), [row]);
    assert.deepEqual(await rows(key(row) + 1, key(row) + 9), []);
  }
  assert.deepEqual(await rows(key(2046), key(2049)), [2046, 2047, 2048, 2049]);
  assert.deepEqual(await rows(0, key(1)), [0, 1]);
  assert.deepEqual(await rows(key(4998), Number.MAX_SAFE_INTEGER), [4998, 4999]);
});

test('a query that nothing matches finds nothing', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  const messages = randomMessages(3, 100);
  await writeRows(path, messages);
  const lastKey = messages.at(-1)!.key;
  assert.deepEqual(await scan(path, { start: 0, end: FIRST_KEY - 1 }), []);
  assert.deepEqual(await scan(path, { start: lastKey + 1 }), []);
  assert.deepEqual(await scan(path, { start: lastKey, end: FIRST_KEY }), []);
  assert.deepEqual(await scan(path, { topic: 'nothing/#' }), []);
});

test('a file without rows', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  await writeRows(path, []);
  assert.deepEqual(await scan(path), []);
});

test('columns that are null throughout, and payloads that are all empty', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  const bare = { clientId: null, properties: null, payload: new Uint8Array() };
  const messages = randomMessages(4, 300).map((message) => ({ ...message, ...bare }));
  await writeRows(path, messages);
  assert.deepEqual(await scan(path), messages);
});

test('one row', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  const messages = randomMessages(5, 1);
  await writeRows(path, messages);
  assert.deepEqual(await scan(path), messages);
});

test('payloads of 1 MiB among empty ones', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  const messages = randomMessages(6, 30).map((message, i) => ({
    ...message,
    payload: new Uint8Array(i % 4 === 0 ? 1024 * 1024 : 0).fill(i),
  }));
  await writeRows(path, messages, { compression: Compression.SNAPPY });
  assert.deepEqual(await scan(path), messages);
});

test('properties and topics that outgrow their dictionaries', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  const messages = randomMessages(7, 4000).map((message, i) => ({
    ...message,
    topic: `vehicle/${i}/${'x'.repeat(300)}`,
    properties: i % 3 === 0 ? null : JSON.stringify({ text: `${i} `.repeat(150) }),
  }));
  await writeRows(path, messages);
  assert.deepEqual(await scan(path), messages);
  assert.deepEqual(await scan(path, { topic: 'vehicle/3999/+' }), messages.slice(3999));
});

test('random files and queries, against a filter over the rows', async (t) => {
  const folder = await tempFolder(t);
  const random = randomOf(42);
  const upTo = (limit: number) => Math.floor(random() * limit);
  const filters = [null, '#', 'vehicle/#', 'vehicle/can/+', '+/gps', 'log', '\ufeffbom/+', 'none'];
  for (let file = 0; file < 8; file++) {
    const path = join(folder, `${file}.parquet`);
    const messages = randomMessages(file, 1 + upTo(4000), {
      maxPayload: 1 + upTo(500),
      maxStep: 1 + upTo(20),
    });
    await writeRows(path, messages, {
      compression: [Compression.ZSTD, Compression.SNAPPY, Compression.UNCOMPRESSED][upTo(3)]!,
      rowGroupRows: 1 + upTo(5000),
      pageBytes: 512 + upTo(20_000),
    });
    const span = messages.at(-1)!.key - FIRST_KEY;
    for (let i = 0; i < 20; i++) {
      const start = FIRST_KEY - 10 + upTo(span + 20);
      const query = { start, end: start + upTo(span + 20), topic: filters[upTo(filters.length)]! };
      assert.deepEqual(await scan(path, query), model(messages, query), JSON.stringify({ file, ...query }));
    }
  }
});

test('files of another writer, with and without indexes of their pages', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  const messages = randomMessages(8, 3000);
  for (const columnIndex of [true, false]) {
    for (const offsetIndex of columnIndex ? [true] : [true, false]) {
      const column = (
        name: string,
        type: 'STRING' | 'INT32' | 'BOOLEAN' | 'BYTE_ARRAY',
        data: unknown[],
        nullable = false,
      ) => ({
        name,
        type,
        data,
        nullable,
        columnIndex,
        offsetIndex,
      });
      const written = parquetWriteBuffer({
        columnData: [
          {
            ...column(
              'ts',
              'INT32',
              messages.map(({ key }) => BigInt(key)),
            ),
            type: 'INT64',
          },
          column(
            'topic',
            'STRING',
            messages.map(({ topic }) => topic),
          ),
          column(
            'client_id',
            'STRING',
            messages.map(({ clientId }) => clientId),
            true,
          ),
          column(
            'qos',
            'INT32',
            messages.map(({ qos }) => qos),
          ),
          column(
            'retain',
            'BOOLEAN',
            messages.map(({ retain }) => retain),
          ),
          column(
            'properties',
            'STRING',
            messages.map(({ properties }) => properties),
            true,
          ),
          column(
            'payload',
            'BYTE_ARRAY',
            messages.map(({ payload }) => payload),
          ),
        ],
        rowGroupSize: 1100,
        pageSize: 4096,
      });
      await writeFile(path, Buffer.from(written));
      assert.deepEqual(await scan(path), messages);
      const range = { start: messages[1090]!.key, end: messages[2500]!.key, topic: 'vehicle/+' };
      assert.deepEqual(await scan(path, range), model(messages, range));
    }
  }
});

test('a scan that is cancelled ends at the next page', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  await writeRows(path, randomMessages(9, 20_000), { pageBytes: 4096 });
  const abort = new AbortController();
  const whole = { path, start: 0, end: Number.MAX_SAFE_INTEGER, topic: null };
  const batches = scanFile(whole, abort.signal);
  assert.equal((await batches.next()).value!.keys.length, 1000);
  abort.abort();
  let rest = 0;
  for await (const batch of batches) rest += batch.keys.length;
  assert.ok(rest < 2000, `${rest} messages after the cancellation`);
});
