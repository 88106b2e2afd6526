/** An encrypted stream from the publisher to the file, over crashes, lost keys and files that were tampered with. */
import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { type App, type AppParts, createApp } from '../../src/app/app.js';
import type { ConfigInput, StreamInput } from '../../src/config/schema.js';
import { createLog } from '../../src/log.js';
import { Receiver } from '../../src/transfer/receiver.js';
import { run } from '../cli/program.js';
import { keyBytes } from '../seal/keys.js';
import {
  atEnd,
  configOf,
  crashed,
  MemoryLog,
  numbered,
  publishMany,
  replayed,
  started,
  streamInput,
  temporaryFolder,
} from './app-fixture.js';

const keys = (...ids: string[]): AppParts => ({
  encryptionKeys: async () => ids.map((id) => ({ id, key: keyBytes(id) })),
});

const configWith = (dataDir: string, stream: Partial<StreamInput> = {}, more: Partial<ConfigInput> = {}) =>
  configOf(dataDir, { streams: [streamInput({ encryption: { enabled: true }, ...stream })], ...more });

async function flush(app: App): Promise<void> {
  const result = await app.request('flush', { id: 'flush', stream: 'vehicle' });
  assert.equal(result.ok, true, result.error?.message);
}

async function filesOf(dataDir: string, end: RegExp): Promise<string[]> {
  const all = await readdir(dataDir, { recursive: true });
  return all
    .filter((path) => end.test(path))
    .sort()
    .map((path) => join(dataDir, path));
}

/** The payloads, by an independent reader. */
async function duckdb(paths: readonly string[]): Promise<string[]> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  const list = paths.map((path) => `'${path}'`).join(', ');
  const reader = await connection.runAndReadAll(
    `SELECT decode(payload) FROM read_parquet([${list}]) ORDER BY ts`,
  );
  connection.closeSync();
  return reader.getRows().map(([payload]) => String(payload));
}

/** Nothing of messages stands in any file of the folder. */
async function assertUnreadable(dataDir: string): Promise<void> {
  for (const path of await filesOf(join(dataDir, 'streams'), /\.(parquet|journal|enc|tmp)$/)) {
    const bytes = await readFile(path);
    for (const text of ['secret', 'vehicle/n']) assert.equal(bytes.indexOf(text), -1, path);
  }
}

for (const durability of ['process', 'interval', 'strict'] as const) {
  test(`${durability}: files and journal are encrypted, answers are not, and a crash loses nothing`, async (t) => {
    const dataDir = await temporaryFolder(t);
    const { app } = await started(t, configWith(dataDir, { durability }), keys('a'));
    await publishMany(app, 'secret', 5, 1);
    await flush(app);
    await publishMany(app, 'secret-journal', 5, 1);
    const expected = [...numbered('secret', 5), ...numbered('secret-journal', 5)];
    assert.deepEqual((await replayed(app)).payloads, expected);
    const copy = await crashed(t, dataDir);
    assert.equal((await filesOf(copy, /\.parquet\.enc$/)).length, 1);
    assert.equal((await filesOf(copy, /\.journal\.enc$/)).length, 1);
    assert.deepEqual(await filesOf(copy, /\.(parquet|journal)$/), []);
    await assertUnreadable(copy);

    const { app: next } = await started(t, configWith(copy, { durability }), keys('a'));
    assert.deepEqual((await replayed(next)).payloads, expected);
    await next.close();
    assert.equal((await filesOf(copy, /\.parquet\.enc$/)).length, 2);
    assert.deepEqual(await filesOf(copy, /journal\.enc$/), []);
    await assertUnreadable(copy);
  });
}

test('without the key, or with another one, nothing is started and nothing is touched', async (t) => {
  const dataDir = await temporaryFolder(t);
  const { app } = await started(t, configWith(dataDir), keys('a'));
  await publishMany(app, 'in-a-file', 3, 1);
  await flush(app);
  await publishMany(app, 'in-the-journal', 3, 1);
  const copy = await crashed(t, dataDir);
  const list = () => readdir(copy, { recursive: true });
  const before = await list();
  const log = createLog({ level: 'silent', format: 'text' }, () => {});
  const refused = (parts: AppParts, error: object, config = configWith(copy)) =>
    assert.rejects(createApp(config, { log, ...parts }), error);
  const wrong = async () => [{ id: 'a', key: keyBytes('another') }];
  const missing = {
    code: 'KEY_MISSING',
    message: /^streams\/vehicle\/date.* needs the encryption key "a"/,
  };
  await refused(keys('b'), missing);
  await refused({}, { ...missing, message: /keys here are: none/ });
  await refused({ encryptionKeys: wrong }, { code: 'KEY_WRONG' });
  // Nor does it help to say that the stream is not encrypted, or to leave it out: its files would be missing.
  await refused({}, missing, configWith(copy, { encryption: { enabled: false } }));
  await refused({}, missing, configOf(copy, { streams: [] }));
  // The journal alone is reason enough.
  for (const file of await filesOf(copy, /\.parquet\.enc$/)) await rm(file);
  await refused(keys('b'), {
    ...missing,
    message: /^streams\/vehicle\/journal\/.* needs the encryption key "a"/,
  });
  assert.deepEqual(
    (await list()).filter((name) => name.includes('journal')),
    before.filter((name) => name.includes('journal')),
  );
});

test('a stream that is to be encrypted is not begun without a key, at the start or later', async (t) => {
  const dataDir = await temporaryFolder(t);
  const error = {
    code: 'KEY_MISSING',
    message: /^stream "vehicle", which is encrypted, needs an encryption key/,
  };
  const log = createLog({ level: 'silent', format: 'text' }, () => {});
  await assert.rejects(createApp(configWith(dataDir), { log }), error);
  const { app } = await started(t, configOf(dataDir, { streams: [] }));
  assert.throws(() => app.addStream(streamInput({ encryption: { enabled: true } })), error);
});

test('rotation: new files are for the new key, old ones are read as long as theirs is listed', async (t) => {
  const dataDir = await temporaryFolder(t);
  const life = async (prefix: string, parts: AppParts) => {
    const { app } = await started(t, configWith(dataDir), parts);
    await publishMany(app, prefix, 3);
    await flush(app);
    const { payloads } = await replayed(app);
    await app.close();
    return payloads;
  };
  await life('first', keys('2025'));
  const all = await life('second', keys('2026', '2025'));
  assert.deepEqual(all, [...numbered('first', 3), ...numbered('second', 3)]);
  await assert.rejects(life('x', keys('2026')), {
    code: 'KEY_MISSING',
    message: /needs the encryption key "2025"/,
  });
  const [oldest] = await filesOf(dataDir, /\.enc$/);
  await rm(oldest!);
  assert.deepEqual(await life('third', keys('2026')), [...numbered('second', 3), ...numbered('third', 3)]);
});

test('encryption is switched on and off: files stay as they are, and all are read', async (t) => {
  const dataDir = await temporaryFolder(t);
  for (const [i, enabled] of [false, true, false].entries()) {
    const { app } = await started(t, configWith(dataDir, { encryption: { enabled } }), keys('a'));
    await publishMany(app, `${i}-`, 2);
    await app.close();
  }
  const { app } = await started(t, configWith(dataDir), keys('a'));
  const { payloads } = await replayed(app);
  assert.deepEqual(payloads, [...numbered('0-', 2), ...numbered('1-', 2), ...numbered('2-', 2)]);
  assert.equal((await filesOf(dataDir, /\.parquet$/)).length, 2);
  assert.equal((await filesOf(dataDir, /\.parquet\.enc$/)).length, 1);
});

test('a file that was tampered with is set aside, at the start or when it is read; the rest is answered', async (t) => {
  const dataDir = await temporaryFolder(t);
  const { app } = await started(t, configWith(dataDir), keys('a'));
  for (let i = 0; i < 5; i++) {
    await publishMany(app, `${i}-${'x'.repeat(1000)}-`, 200);
    await flush(app);
  }
  const { payloads } = await replayed(app);
  await app.close();
  const files = await filesOf(dataDir, /\.enc$/);
  const change = async (path: string, work: (bytes: Buffer) => Buffer) =>
    writeFile(path, work(await readFile(path)));
  const flip = (at: number) => (bytes: Buffer) => {
    bytes[at < 0 ? bytes.length + at : at] ^= 1;
    return bytes;
  };
  await change(files[0]!, flip(3));
  await change(files[1]!, flip(-100));
  await change(files[2]!, (bytes) => bytes.subarray(0, -1));
  // In the middle: found by whoever reads it.
  await change(files[3]!, flip(200));

  const { app: next, log } = await started(t, configWith(dataDir), keys('a'));
  assert.deepEqual((await replayed(next)).payloads, payloads.slice(800));
  assert.equal(log.matching(/a corrupt file was set aside/).length, 4);
  assert.equal((await filesOf(dataDir, /\.enc\.corrupt$/)).length, 4);
});

for (const decrypt of [false, true]) {
  test(`transfer: files arrive ${decrypt ? 'decrypted' : 'as they are stored'}, and are what was captured`, async (t) => {
    const dataDir = await temporaryFolder(t);
    const dir = await temporaryFolder(t);
    const { app, url } = await started(t, configWith(dataDir, {}, { transfer: { decrypt } }), keys('a'));
    const payloads = await publishMany(app, 'secret', 50);
    await flush(app);
    const received = new Promise<void>((resolve, reject) => {
      void Receiver.start({
        url,
        dir,
        log: new MemoryLog().log,
        onFile: () => resolve(),
        onError: reject,
      }).then(async (receiver) => {
        atEnd(t, () => receiver.close());
        const { files } = await app.request('search', { id: 'up', stream: 'vehicle' });
        const [{ name }] = files as [{ name: string }];
        assert.match(name, decrypt ? /_1\.parquet$/ : /_1\.parquet\.enc$/);
      });
    });
    await received;
    let [path] = await filesOf(dir, /\.(parquet|enc)$/);
    if (!decrypt) {
      const keyFile = join(dir, 'key');
      await writeFile(keyFile, keyBytes('a').toString('hex'), { mode: 0o600 });
      const { code, out } = await run('decrypt', path!, '--key-file', keyFile, '--out', join(dir, 'open'));
      assert.equal(code, 0);
      path = out[0]!.replace(/ \(.*/, '');
      assert.match(path, /_1\.parquet$/);
    }
    assert.deepEqual(await duckdb([path!]), payloads);
  });
}

test('mqtt-stream decrypt: with the configuration, and what it refuses', async (t) => {
  const dataDir = await temporaryFolder(t);
  const folder = await temporaryFolder(t);
  const key = join(folder, 'key');
  await writeFile(key, keyBytes('a'), { mode: 0o600 });
  const config = configWith(dataDir, {}, { encryption: { keys: [{ id: 'a', file: key }] } });
  const { app } = await started(t, config);
  const payloads: string[] = [];
  for (const prefix of ['a', 'b']) {
    payloads.push(...(await publishMany(app, prefix, 20)));
    await flush(app);
  }
  await app.close();
  const file = join(folder, 'config.yaml');
  await writeFile(file, JSON.stringify(config));
  const files = await filesOf(dataDir, /\.enc$/);
  const out = join(folder, 'out');
  const decrypted = await run('decrypt', ...files, '--config', file, '--out', out, '--json');
  assert.equal(decrypted.code, 0, decrypted.err.join());
  const paths = decrypted.out.map((line) => (JSON.parse(line) as { file: string }).file);
  assert.deepEqual(await duckdb(paths), payloads);

  const refused = async (code: number, says: RegExp, ...args: string[]) => {
    const { code: ended, err } = await run('decrypt', ...args);
    assert.equal(ended, code);
    assert.match(err.join('\n'), says);
  };
  const other = join(folder, 'other');
  await writeFile(other, keyBytes('b'), { mode: 0o600 });
  const changed = join(folder, 'changed.parquet.enc');
  const bytes = await readFile(files[0]!);
  bytes[bytes.length - 1] ^= 1;
  await writeFile(changed, bytes);
  const into = join(folder, 'into');
  await mkdir(into);
  await refused(1, /DECRYPT_FAILED.*there is a file .* already/, files[0]!, '--key-file', key, '--out', out);
  await refused(1, /DECRYPT_FAILED.*does not end in \.enc/, paths[0]!, '--key-file', key, '--out', into);
  await refused(1, /DECRYPT_FAILED.*not what was written/, changed, '--key-file', key, '--out', into);
  await refused(2, /KEY_WRONG/, files[0]!, '--key-file', other, '--out', into);
  await refused(
    2,
    /KEY_UNUSABLE.*NO_SUCH_KEY is not set/,
    files[0]!,
    '--key-env',
    'NO_SUCH_KEY',
    '--out',
    into,
  );
  await chmod(key, 0o644);
  await refused(2, /KEY_UNUSABLE.*chmod 600/, files[0]!, '--config', file, '--out', into);
  assert.deepEqual(await readdir(into), []);
});
