/** A folder with what is encrypted, for who has the key and who has not. */
import assert from 'node:assert/strict';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { SLOT_BYTES } from '../../src/seal/slot.js';
import { keyringOf } from '../seal/keys.js';
import { crashedFolder, examined, pathsOf } from './patient.js';

const keyring = keyringOf('a');

test('with the key nothing is wrong, and everything was read', async (t) => {
  const { dataDir } = await crashedFolder(t, true);
  const { kinds, notes, progress } = await examined(dataDir, { keyring });
  assert.deepEqual(kinds, []);
  assert.deepEqual(progress.at(-1), [3, 3]);
  assert.ok(notes.some(({ what }) => what.startsWith('3 messages are in no file yet')));
});

test('without the key that is told of each, and nothing else is said of it', async (t) => {
  const { dataDir } = await crashedFolder(t, true);
  const { kinds, findings } = await examined(dataDir);
  const paths = await pathsOf(dataDir, '.enc');
  assert.deepEqual(kinds.sort(), paths.map((path) => `locked ${path}`).sort());
  assert.equal(paths.length, 4);
  assert.match(findings[0]!.what, /needs the encryption key "a"/);
  const { kinds: wrong } = await examined(dataDir, { keyring: keyringOf('b') });
  assert.deepEqual(wrong.sort(), kinds);
});

test('what was damaged or changed is found', async (t) => {
  const { dataDir } = await crashedFolder(t, true);
  const [begun, cut, changed] = (await pathsOf(dataDir, '.parquet.enc')) as [string, string, string];
  const flip = async (path: string, at: number) => {
    const bytes = await readFile(join(dataDir, path));
    bytes[at] ^= 1;
    await writeFile(join(dataDir, path), bytes);
  };
  await flip(begun, 50);
  await truncate(join(dataDir, cut), 1000);
  await flip(changed, 500);
  const [segment] = (await pathsOf(dataDir, '.journal.enc')) as [string];
  const log = await readFile(join(dataDir, segment));
  // The first block, behind the header.
  const start = SLOT_BYTES + 8 + log.readUInt32LE(SLOT_BYTES);
  const end = start + 8 + log.readUInt32LE(start);
  log[end - 1] ^= 1;
  log.writeUInt32LE(crc32(log.subarray(start + 8, end)), start + 4);
  await writeFile(join(dataDir, segment), log);
  const { kinds, findings } = await examined(dataDir, { keyring });
  assert.deepEqual(kinds, [
    `file-corrupt ${begun}`,
    `file-corrupt ${cut}`,
    `file-corrupt ${changed}`,
    `journal-corrupt ${segment}`,
  ]);
  assert.match(findings[3]!.what, /changed by somebody/);
  await truncate(join(dataDir, segment), 100);
  const { kinds: torn } = await examined(dataDir, { keyring });
  assert.equal(torn[3], `journal-torn ${segment}`);
});
