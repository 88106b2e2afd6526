import assert from 'node:assert/strict';
import * as files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Candidate } from '../../src/catalog/candidate.js';
import { checkKeys } from '../../src/catalog/sealed-files.js';
import { seal } from '../seal/fixture.js';
import { keyringOf } from '../seal/keys.js';

const log = { info() {}, warn() {}, error() {} };

/** Files of a folder, each named by the key that it is encrypted with; `-`: by none. */
async function folder(t: TestContext, ...keys: string[]) {
  const dataDir = await files.mkdtemp(join(tmpdir(), 'mqtt-stream-keys-'));
  t.after(() => files.rm(dataDir, { recursive: true, force: true }));
  await files.mkdir(join(dataDir, 'day'));
  const candidates: Candidate[] = [];
  for (const [i, key] of keys.entries()) {
    const name = `${i}~${i}_${i}.parquet${key === '-' ? '' : '.enc'}`;
    const contents = key === '-' ? Buffer.from('open') : seal(Buffer.from('x'), keyringOf(key));
    await files.writeFile(join(dataDir, 'day', name), contents);
    candidates.push({ stream: 's', folder: 'day', name });
  }
  const opened: string[] = [];
  const fs = {
    ...files,
    open: (path: string, flags: string) => {
      opened.push(path.slice(dataDir.length + 1));
      return files.open(path, flags);
    },
  };
  const check = (...known: string[]) =>
    checkKeys({ dataDir, fs, log, keyring: keyringOf(...known) }, candidates);
  return { dataDir, candidates, opened, check };
}

test('the first and the last encrypted file of a folder are asked', async (t) => {
  const { opened, check } = await folder(t, '-', 'a', 'a', 'a', 'b', '-');
  await check('b', 'a');
  assert.deepEqual(opened, ['day/1~1_1.parquet.enc', 'day/4~4_4.parquet.enc']);
  await assert.rejects(check('b'), {
    code: 'KEY_MISSING',
    message: /^day\/1~1_1.parquet.enc needs the encryption key "a"/,
  });
  await assert.rejects(check('a'), { code: 'KEY_MISSING', message: /"b"/ });
});

test('where nothing is encrypted nothing is read', async (t) => {
  const { opened, check } = await folder(t, '-', '-');
  await check();
  assert.deepEqual(opened, []);
});

test('what is damaged or gone is left to who reads it', async (t) => {
  const { dataDir, check } = await folder(t, 'a', 'a');
  await files.truncate(join(dataDir, 'day/0~0_0.parquet.enc'), 20);
  await files.rm(join(dataDir, 'day/1~1_1.parquet.enc'));
  await check();
});

test('temporary files and segments of a journal are asked as well', async (t) => {
  const { dataDir, candidates, check } = await folder(t, 'a');
  const from = join(dataDir, 'day/0~0_0.parquet.enc');
  for (const name of ['0~0_0.parquet.enc.tmp', '0000000001.journal.enc']) {
    await files.copyFile(from, join(dataDir, 'day', name));
    candidates.splice(0, candidates.length, { stream: 's', folder: 'day', name });
    await assert.rejects(check('b'), { code: 'KEY_MISSING' }, name);
    await check('a');
  }
});
