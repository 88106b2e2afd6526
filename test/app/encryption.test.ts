/** Where keys come from: files, variables, the embedding program. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type EncryptionKey, openKeyring } from '../../src/app/encryption.js';
import { parseConfig } from '../../src/config/schema.js';
import { problemsOf } from '../config/problems.js';
import { keyBytes, keyringOf } from '../seal/keys.js';

async function keyFile(t: TestContext, contents: string | Uint8Array, mode = 0o600): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mqtt-stream-key-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'key');
  await writeFile(path, contents);
  await chmod(path, mode);
  return path;
}

const opened = (keys: object[], env = {}, more?: () => Promise<EncryptionKey[]>) =>
  openKeyring(parseConfig({ encryption: { keys } }).encryption, { files: { open }, env }, more);

test('from files, variables and the embedding program, whose keys come first', async (t) => {
  const file = await keyFile(t, `${keyBytes('a').toString('hex')}\n`);
  const env = { KEY: keyBytes('b').toString('base64') };
  const more = async () => [{ id: 'c', key: keyBytes('c') }];
  const keys = [
    { id: 'a', file },
    { id: 'b', env: 'KEY' },
  ];
  const { keys: found } = await opened(keys, env, more);
  assert.deepEqual(
    found.map(({ id, key }) => [id, key.export()]),
    keyringOf('c', 'a', 'b').keys.map(({ id, key }) => [id, key.export()]),
  );
});

test('a key file that others may read or write is not used', async (t) => {
  for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610, 0o777]) {
    const file = await keyFile(t, keyBytes('a'), mode);
    await assert.rejects(opened([{ id: 'a', file }]), { code: 'KEY_UNUSABLE', message: /chmod 600/ });
  }
  for (const mode of [0o600, 0o400]) {
    const file = await keyFile(t, keyBytes('a'), mode);
    assert.equal((await opened([{ id: 'a', file }])).keys.length, 1);
  }
});

test('what is no key ends the start, and is not shown', async (t) => {
  const secret = 'not-32-bytes-but-secret';
  const file = await keyFile(t, secret);
  const gone = join(file, '..', 'gone');
  const cases: [object, RegExp][] = [
    [{ id: 'a', file }, /"a" cannot be used: expected 32 bytes/],
    [{ id: 'a', file: gone }, /"a" cannot be used: ENOENT/],
    [{ id: 'a', env: 'KEY' }, /"a" cannot be used: expected 32 bytes/],
    [{ id: 'a', env: 'NONE' }, /the variable NONE is not set/],
  ];
  for (const [key, message] of cases) {
    await assert.rejects(opened([key], { KEY: secret }), (error: Error & { code: string }) => {
      assert.equal(error.code, 'KEY_UNUSABLE');
      assert.match(error.message, message);
      return !error.message.includes(secret);
    });
  }
});

test('keys of the embedding program are looked at as others are', async () => {
  const cases: [() => Promise<EncryptionKey[]>, RegExp][] = [
    [async () => [{ id: 'a', key: Buffer.alloc(16) }], /"a" cannot be used: expected 32 bytes/],
    [async () => [{ id: 'a b', key: keyBytes('a') }], /"a b" cannot be used: its id needs/],
    [
      async () => [
        { id: 'a', key: keyBytes('a') },
        { id: 'a', key: keyBytes('b') },
      ],
      /there are two of this id/,
    ],
    [() => Promise.reject(new Error('no HSM')), /of the embedding program" cannot be used: no HSM/],
  ];
  for (const [more, message] of cases) {
    await assert.rejects(opened([], {}, more), { code: 'KEY_UNUSABLE', message });
  }
});

test('the configuration says where keys are, not what they are', async () => {
  const hex = keyBytes('a').toString('hex');
  const cases: [object, RegExp][] = [
    [{ id: 'a' }, /exactly one of file and env/],
    [{ id: 'a', file: 'x', env: 'X' }, /exactly one of file and env/],
    [{ id: 'a', env: '9' }, /expected the name of a variable/],
    [{ id: 'a', env: hex.replace(/^\d*/, '0') }, /expected the name of a variable/],
    [{ id: 'a', env: 'MQTT_STREAM_KEY' }, /choose another name/],
    [{ id: 'a/b', file: 'x' }, /expected 1 to 64 characters/],
    [{ id: 'a', key: hex }, /key: there is no such key/],
  ];
  for (const [key, text] of cases) {
    const problems = await problemsOf(() => parseConfig({ encryption: { keys: [key] } }));
    assert.match(problems.join('\n'), text);
    assert.ok(!problems.join('\n').includes(hex));
  }
  const twice = { id: 'a', file: 'x' };
  assert.match(
    (await problemsOf(() => parseConfig({ encryption: { keys: [twice, twice] } }))).join(),
    /encryption.keys\[1\].id: "a" is the id of encryption.keys\[0\] already/,
  );
});
