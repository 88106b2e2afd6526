import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../cli/program.js';
import { keyBytes } from '../seal/keys.js';
import {
  configOf,
  crashed,
  numbered,
  publishMany,
  replayed,
  started,
  streamInput,
  temporaryFolder,
} from './app-fixture.js';

async function withJournal(
  t: Parameters<typeof temporaryFolder>[0],
  durability: 'none' | 'strict' = 'strict',
  enabled = false,
) {
  const dataDir = await temporaryFolder(t);
  const streams = [streamInput({ durability, encryption: { enabled } })];
  const { app } = await started(t, configOf(dataDir, { streams }), ENCRYPTION);
  await publishMany(app, 'file', 3);
  await app.request('flush', { id: 'f', stream: 'vehicle' });
  await publishMany(app, 'journal', 5, 1);
  const copy = await crashed(t, dataDir);
  return { copy, dataDir, streams };
}

/** For streams that are encrypted. */
const ENCRYPTION = { encryptionKeys: async () => [{ id: 'a', key: keyBytes('a') }] };

const journalOf = (dataDir: string) => join(dataDir, 'streams', 'vehicle', 'journal');

test('recover puts the journal into a file; the next start finds all of it, and tells of the crash', async (t) => {
  const { copy, streams } = await withJournal(t);
  const [segment] = await readdir(journalOf(copy));
  const path = join(journalOf(copy), segment!);
  await writeFile(path, Buffer.concat([await readFile(path), Buffer.alloc(7, 1)]));
  const { code, out } = await run('recover', copy);
  assert.equal(code, 0);
  assert.equal(out[0], 'vehicle: 5 messages recovered; 7 bytes were no whole block');
  assert.match(out[1]!, /^ {2}streams\/vehicle\/date=.*\.parquet$/);
  assert.deepEqual(await readdir(journalOf(copy)), []);
  assert.deepEqual((await run('recover', copy)).out, ['vehicle: nothing to recover']);
  assert.deepEqual(JSON.parse((await run('recover', copy, '--json')).out[0]!), {
    stream: 'vehicle',
    messages: 0,
    files: [],
    tornBytes: 0,
    incomplete: false,
  });
  const { app } = await started(t, configOf(copy, { streams }));
  const { payloads, gaps } = await replayed(app);
  assert.deepEqual(payloads, [...numbered('file', 3), ...numbered('journal', 5)]);
  assert.deepEqual(
    gaps.map(({ reason }) => reason),
    ['crash'],
  );
});

test('recover: a segment that is none is set aside, and the next start tells that something may be missing', async (t) => {
  const { copy, streams } = await withJournal(t);
  // Before the one with messages.
  const segment = '0000000001.journal';
  assert.deepEqual(await readdir(journalOf(copy)), ['0000000002.journal']);
  await writeFile(join(journalOf(copy), segment), Buffer.alloc(4096));
  const { code, out } = await run('recover', copy);
  assert.equal(code, 0);
  assert.equal(
    out[0],
    'vehicle: 5 messages recovered; others are missing or could not be read, and a gap "unknown" tells it',
  );
  assert.deepEqual(await readdir(journalOf(copy)), [`${segment}.corrupt`]);
  for (let i = 0; i < 2; i++) {
    const { app } = await started(t, configOf(copy, { streams }));
    const { keys, gaps } = await replayed(app);
    assert.deepEqual(
      gaps.map(({ start, reason }) => [start, reason]),
      [
        [keys[2]! + 1, 'unknown'],
        [keys[7]! + 1, 'crash'],
      ],
    );
    assert.equal(gaps[0]!.end, keys[7]);
    await app.close();
  }
});

test('recover of what ended in order makes no crash of it', async (t) => {
  const dataDir = await temporaryFolder(t);
  const { app } = await started(t, configOf(dataDir));
  await publishMany(app, 'a', 3);
  await app.close();
  assert.equal((await run('recover', dataDir)).code, 0);
  const { app: next } = await started(t, configOf(dataDir));
  assert.deepEqual((await replayed(next)).gaps, []);
});

test('recover: not while somebody has the folder, and not what is no data folder', async (t) => {
  const { dataDir } = await withJournal(t);
  const held = await run('recover', dataDir);
  assert.equal(held.code, 1);
  assert.match(held.err.join('\n'), /DATA_DIR_IN_USE/);
  const empty = await temporaryFolder(t);
  const none = await run('recover', empty);
  assert.equal(none.code, 1);
  assert.match(none.err.join('\n'), /DATA_DIR_UNUSABLE.*there is no folder "streams" in it/);
  assert.deepEqual(await readdir(empty), []);
  assert.equal((await run('recover')).code, 2);
});

test('recover: what was encrypted needs the key, and stays encrypted', async (t) => {
  const { copy, streams } = await withJournal(t, 'strict', true);
  const folder = await temporaryFolder(t);
  const file = join(folder, 'key');
  const config = join(folder, 'config.yaml');
  await writeFile(file, keyBytes('a'), { mode: 0o600 });
  await writeFile(config, JSON.stringify({ encryption: { keys: [{ id: 'a', file }] } }));
  const refused = await run('recover', copy);
  assert.equal(refused.code, 2);
  assert.match(refused.err.join('\n'), /KEY_MISSING.*needs the encryption key "a"/);
  const { code, out } = await run('recover', copy, '--config', config);
  assert.equal(code, 0);
  assert.equal(out[0], 'vehicle: 5 messages recovered');
  assert.match(out[1]!, /\.parquet\.enc$/);
  const { app } = await started(t, configOf(copy, { streams }), ENCRYPTION);
  assert.deepEqual((await replayed(app)).payloads, [...numbered('file', 3), ...numbered('journal', 5)]);
});
