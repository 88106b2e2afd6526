/** What opens, what does not, and what it says. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { LevelPersistence } from '../../../src/broker/store/level-persistence.js';
import { FakeDatabase } from './fake-database.js';
import { newFolder, opened, queueOf } from './fixture.js';
import { message } from './message.js';

/** A store with messages in its log; some thousand of them, so that the log has several blocks. */
async function filled(messages = 2000): Promise<string> {
  const folder = newFolder();
  const store = await opened({ folder });
  for (let counter = 1; counter <= messages; counter++) {
    const done = store.outgoingEnqueue(
      { clientId: 'c' },
      message(counter, { payload: Buffer.alloc(100, counter) }),
    );
    if (counter % 10 === 0) await done;
  }
  await store.destroy();
  return folder;
}

async function change(folder: string, ending: RegExp, edit: (bytes: Buffer) => Buffer): Promise<void> {
  const name = (await readdir(folder)).find((one) => ending.test(one))!;
  await writeFile(join(folder, name), edit(await readFile(join(folder, name))));
}

/** Bytes in the middle of a file become others. */
function damaged(bytes: Buffer): Buffer {
  const middle = bytes.length >> 1;
  for (let at = middle; at < middle + 20; at++) bytes[at]! ^= 0x55;
  return bytes;
}

test('folder and files are for this user only', async () => {
  const folder = newFolder();
  const modes = async () => {
    const files = await Promise.all((await readdir(folder)).map((name) => stat(join(folder, name))));
    return [(await stat(folder)).mode & 0o777, ...new Set(files.map(({ mode }) => mode & 0o777))];
  };
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const store = await opened({ folder });
  assert.deepEqual(await modes(), [0o700, 0o600]);
  await store.destroy();
});

test('a store that is open cannot be opened, and stays as it is', async (t) => {
  const folder = newFolder();
  const store = await opened({ folder });
  t.after(() => store.destroy());
  await store.outgoingEnqueue({ clientId: 'c' }, message(1));
  await assert.rejects(opened({ folder }), { code: 'STORE_IN_USE', message: new RegExp(folder) });
  assert.deepEqual(await queueOf(store, 'c'), ['m1']);
});

for (const [what, ending] of [
  ['log', /\.log$/],
  ['manifest', /^MANIFEST/],
  ['pointer to the manifest', /^CURRENT$/],
] as const) {
  test(`a store with a damaged ${what} is not opened, and nothing of it is changed`, async () => {
    const folder = await filled();
    await change(folder, ending, damaged);
    for (let attempt = 0; attempt < 2; attempt++) {
      await assert.rejects(opened({ folder }), {
        code: 'STORE_UNUSABLE',
        message: new RegExp(`${folder} .*move it away`),
      });
    }
  });
}

test('a store without one of its files is not opened', async () => {
  const folder = await filled();
  // Opening moves the log into a table.
  await (await opened({ folder })).destroy();
  for (const name of await readdir(folder)) if (name.endsWith('.ldb')) await rm(join(folder, name));
  await assert.rejects(opened({ folder }), { code: 'STORE_UNUSABLE', message: /missing/ });
});

test('the end of the log may be missing: a batch that was not finished', async (t) => {
  const folder = await filled();
  await change(folder, /\.log$/, (bytes) => bytes.subarray(0, bytes.length - 10));
  const store = await opened({ folder });
  t.after(() => store.destroy());
  assert.equal((await queueOf(store, 'c')).length, 1990);
});

test('a place that is no folder', async () => {
  const file = newFolder();
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(file, '');
  await assert.rejects(opened({ folder: file }), { code: 'STORE_UNUSABLE' });
});

test('rows that do not fit together are not half read', async () => {
  const database = new FakeDatabase();
  const store = await opened({ database: () => database });
  await store.outgoingEnqueue({ clientId: 'c' }, message(1));
  await store.destroy();
  const session = database.rows.get('c00000000')!;
  database.rows.delete('c00000000');
  await assert.rejects(opened({ database: () => database }), {
    code: 'STORE_UNUSABLE',
    message: /n00000000/,
  });
  database.rows.set('c00000000', session.subarray(0, 5));
  await assert.rejects(opened({ database: () => database }), { code: 'STORE_UNUSABLE' });
  database.rows.set('c00000000', session);
  await (await opened({ database: () => database })).destroy();
});

test('another format is not opened, and nothing of it is changed', async () => {
  for (const [format, text] of [
    [Buffer.from('2'), /has format 2, and this version reads 1/],
    [null, /has format unknown/],
  ] as const) {
    const database = new FakeDatabase();
    database.rows.set('x', Buffer.from('of another program'));
    if (format !== null) database.rows.set('v', format);
    const before = [...database.rows];
    const open = LevelPersistence.open({
      folder: newFolder(),
      sync: false,
      onFault: assert.fail,
      database: () => database,
    });
    await assert.rejects(open, { code: 'STORE_VERSION', message: text });
    assert.deepEqual([...database.rows], before);
    assert.deepEqual(database.batches, []);
  }
});
