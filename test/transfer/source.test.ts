import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { openForReading, Source } from '../../src/transfer/source.js';
import { bytesOf, sha256Of, storeFile, tempFolder } from './fixture.js';

const content = bytesOf(1000);

test('reads any part, and the sum of the whole', async (t) => {
  const root = await tempFolder(t);
  const source = await Source.open(root, await storeFile(root, 1, content), openForReading);
  t.after(() => source.close());
  const chunk = Buffer.alloc(300);
  await source.read(chunk, 650);
  assert.deepEqual(chunk, content.subarray(650, 950));
  for (const chunkBytes of [1, 7, 1000, 4096]) {
    assert.equal(await source.sha256(chunkBytes), sha256Of(content));
  }
});

test('puts short reads together', async (t) => {
  const root = await tempFolder(t);
  const file = await storeFile(root, 1, content);
  const source = await Source.open(root, file, async (path) => {
    const handle = await openForReading(path);
    return {
      stat: () => handle.stat(),
      close: () => handle.close(),
      read: (buffer, offset, length, position) => handle.read(buffer, offset, Math.min(length, 3), position),
    };
  });
  t.after(() => source.close());
  const chunk = Buffer.alloc(content.length);
  await source.read(chunk, 0);
  assert.deepEqual(chunk, content);
});

test('refuses every way out of <root>/streams', async (t) => {
  const root = await tempFolder(t);
  const file = await storeFile(root, 1, content);
  const outside = await tempFolder(t);
  await writeFile(join(outside, 'x.parquet'), content);
  await writeFile(join(root, 'x.parquet'), content);
  await writeFile(join(root, 'streams', 'x.txt'), content);
  await mkdir(join(root, 'streams-other'));
  await writeFile(join(root, 'streams-other', 'x.parquet'), content);
  await symlink(join(outside, 'x.parquet'), join(root, 'streams', 'link.parquet'));
  await symlink(join(root, 'streams', 'x.txt'), join(root, 'streams', 'text.parquet'));
  await symlink(outside, join(root, 'streams', 'folder'));
  const paths = [
    '../x.parquet',
    'x.parquet',
    'streams/../x.parquet',
    'streams/vehicle/../../../x.parquet',
    'streams-other/x.parquet',
    'streams',
    'streams/.parquet/..',
    join(outside, 'x.parquet'),
    join(root, file.path),
    'streams/x.txt',
    'streams/link.parquet',
    'streams/text.parquet',
    'streams/folder/x.parquet',
  ];
  for (const path of paths) {
    await assert.rejects(
      Source.open(root, { ...file, path }, openForReading),
      { code: 'TRANSFER_OUTSIDE' },
      path,
    );
  }
});

test('follows links that stay inside, and a data folder that is a link', async (t) => {
  const root = await tempFolder(t);
  const file = await storeFile(root, 1, content);
  await symlink(join(root, file.path), join(root, 'streams', 'link.parquet'));
  const other = join(await tempFolder(t), 'data');
  await symlink(root, other);
  const source = await Source.open(other, { ...file, path: 'streams/link.parquet' }, openForReading);
  await source.close();
});

test('a file that is not what was announced is not opened', async (t) => {
  const root = await tempFolder(t);
  const file = await storeFile(root, 1, content);
  await mkdir(join(root, 'streams', 'folder.parquet'));
  await promisify(execFile)('mkfifo', [join(root, 'streams', 'pipe.parquet')]);
  const cases = [
    { ...file, path: 'streams/missing.parquet' },
    { ...file, path: 'streams/a\0.parquet' },
    { ...file, path: 'streams/folder.parquet' },
    { ...file, path: 'streams/pipe.parquet' },
    { ...file, bytes: 999 },
    { ...file, bytes: 1001 },
  ];
  for (const wrong of cases) {
    await assert.rejects(
      Source.open(root, wrong, openForReading),
      (error: Error & { code: string }) =>
        error.code === 'TRANSFER_READ_FAILED' && !error.message.includes(root),
    );
  }
});
