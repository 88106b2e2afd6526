import assert from 'node:assert/strict';
import { readdir, readlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FileReader, type FileReaderOptions, type RowQuery } from '../../src/query/file-reader.js';
import type { Message } from '../../src/ring/record.js';
import { FIRST_KEY, randomMessages, tempFolder, writeRows } from './fixture.js';

function reader(t: TestContext, options: Partial<FileReaderOptions> = {}): FileReader {
  const files = FileReader.start({
    log: { error: (fields) => assert.fail(JSON.stringify(fields)) },
    ...options,
  });
  t.after(() => files.close());
  return files;
}

const all = (path: string): RowQuery => ({ path, start: 0, end: Number.MAX_SAFE_INTEGER, topic: null });

async function collect(batches: AsyncIterable<Message[]>): Promise<Message[]> {
  const found: Message[] = [];
  for await (const batch of batches) found.push(...batch);
  return found;
}

test('messages come back as they were, in batches of at most 1000', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  const messages = randomMessages(1, 3500);
  await writeRows(path, messages);
  const sizes: number[] = [];
  const found: Message[] = [];
  for await (const batch of reader(t).rows(all(path))) {
    sizes.push(batch.length);
    found.push(...batch);
  }
  assert.deepEqual(found, messages);
  assert.deepEqual(sizes, [1000, 1000, 1000, 500]);
});

test('a key range and a topic filter', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  const messages = randomMessages(2, 2000);
  await writeRows(path, messages);
  const start = messages[500]!.key;
  const end = messages[1499]!.key;
  const found = await collect(reader(t).rows({ path, start, end, topic: 'vehicle/can/+' }));
  const wanted = messages.slice(500, 1500).filter(({ topic }) => topic.startsWith('vehicle/can/'));
  assert.deepEqual(found, wanted);
});

test('three readers of different files at the same time', async (t) => {
  const folder = await tempFolder(t);
  const files = reader(t);
  const written = [1, 2, 3].map((seed) => randomMessages(seed, 4000 * seed, { maxPayload: 300 }));
  await Promise.all(
    written.map((messages, i) => writeRows(join(folder, `${i}`), messages, { pageBytes: 20_000 })),
  );
  const found = await Promise.all(written.map((_, i) => collect(files.rows(all(join(folder, `${i}`))))));
  assert.deepEqual(found, written);
});

test('a short query is answered while a long one goes on', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  const messages = randomMessages(4, 60_000, { maxPayload: 200 });
  await writeRows(path, messages, { pageBytes: 50_000 });
  const files = reader(t);
  const order: string[] = [];
  const long = collect(files.rows(all(path))).then((found) => order.push(`long ${found.length}`));
  const { key } = messages[40_000]!;
  const short = collect(files.rows({ path, start: key, end: key, topic: null })).then((found) =>
    order.push(`short ${found.length}`),
  );
  await Promise.all([long, short]);
  assert.deepEqual(order, ['short 1', 'long 60000']);
});

test('the thread is asked for one batch ahead, however slow the consumer', async (t) => {
  const files = reader(t, { entry: new URL('./counting-worker.js', import.meta.url) });
  const asked = async (batches: AsyncGenerator<Message[], void>) => (await batches.next()).value![0]!.key;
  const slow = files.rows(all('slow'));
  const other = files.rows(all('other'));
  // Orders arrive in order: what the slow one sent has arrived before what the other one sends.
  assert.equal(await asked(slow), 1);
  assert.equal(await asked(other), 3);
  assert.equal(await asked(slow), 2);
  assert.equal(await asked(other), 4);
  await slow.return();
  await other.return();
});

test('a file that is deleted while being read is read to its end', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  const messages = randomMessages(5, 5000);
  await writeRows(path, messages, { rowGroupRows: 700 });
  const batches = reader(t).rows(all(path));
  const first = await batches.next();
  await unlink(path);
  assert.deepEqual([...(first.value as Message[]), ...(await collect(batches))], messages);
});

/** Whether this process has `path` open. */
async function isOpen(path: string): Promise<boolean> {
  const open = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) =>
      readlink(`/proc/self/fd/${fd}`).catch(() => 'closed meanwhile'),
    ),
  );
  return open.includes(path);
}

const linuxOnly = { skip: process.platform === 'linux' ? false : 'needs /proc' };

test('return() in the middle closes the file', linuxOnly, async (t) => {
  const folder = await tempFolder(t);
  const path = join(folder, 'a.parquet');
  const other = join(folder, 'b.parquet');
  await writeRows(path, randomMessages(6, 5000));
  await writeRows(other, randomMessages(7, 10));
  const files = reader(t);
  const batches = files.rows(all(path));
  await batches.next();
  assert.equal(await isOpen(path), true);
  await batches.return();
  assert.deepEqual(await batches.next(), { done: true, value: undefined });
  for (let turn = 0; (await isOpen(path)) && turn < 100; turn++) await collect(files.rows(all(other)));
  assert.equal(await isOpen(path), false);
});

test('return() does not wait for the batch that is being looked for', async (t) => {
  const files = reader(t, { entry: new URL('./silent-worker.js', import.meta.url) });
  const batches = files.rows(all('never answered'));
  const pending = batches.next();
  const returned = batches.return();
  assert.deepEqual(await pending, { done: true, value: undefined });
  assert.deepEqual(await returned, { done: true, value: undefined });
});

test('a file that is not there', async (t) => {
  const path = join(await tempFolder(t), 'none.parquet');
  await assert.rejects(collect(reader(t).rows(all(path))), (error: Error & { code: string }) => {
    assert.equal(error.code, 'FILE_CORRUPT');
    assert.ok(error.message.includes(path));
    assert.equal((error.cause as { code?: string }).code, 'ENOENT');
    return true;
  });
});

test('a bad file does not disturb another query', async (t) => {
  const folder = await tempFolder(t);
  const path = join(folder, 'a.parquet');
  const messages = randomMessages(8, 4000);
  await writeRows(path, messages);
  const files = reader(t);
  const good = files.rows(all(path));
  const first = await good.next();
  await assert.rejects(collect(files.rows(all(folder))), { code: 'FILE_CORRUPT' });
  assert.deepEqual([...(first.value as Message[]), ...(await collect(good))], messages);
});

test('a breakdown fails all that is being read, and the next read starts another thread', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  const messages = randomMessages(9, 6000);
  await writeRows(path, messages);
  const logged: string[] = [];
  const log = { error: (_fields: object, message: string) => logged.push(message) };
  const files = reader(t, { log, entry: new URL('./breaking-worker.js', import.meta.url) });
  const active = files.rows(all(path));
  await active.next();
  const broken = { code: 'INTERNAL', message: /thread that reads files ended: broken on purpose/ };
  await assert.rejects(collect(files.rows(all('breakdown'))), broken);
  await assert.rejects(collect(active), broken);
  assert.deepEqual(logged, ['the thread that reads files broke down; the next read starts another one']);
  assert.deepEqual(await collect(files.rows(all(path))), messages);
});

test('close() ends what is being read, and nothing can be read afterwards', async (t) => {
  const path = join(await tempFolder(t), 'a.parquet');
  await writeRows(path, randomMessages(10, 6000));
  const files = reader(t);
  const batches = files.rows(all(path));
  await batches.next();
  await files.close();
  await assert.rejects(collect(batches), { code: 'SHUTTING_DOWN' });
  await assert.rejects(collect(files.rows(all(path))), { code: 'SHUTTING_DOWN' });
  if (process.platform === 'linux') assert.equal(await isOpen(path), false);
  await files.close();
});

test('a reader that was never used closes', async (t) => {
  const files = reader(t);
  const unused = files.rows({ path: '/nowhere', start: FIRST_KEY, end: FIRST_KEY, topic: null });
  await unused.return();
  await files.close();
});
