import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { crc32 } from 'node:zlib';
import { checkIds, Keyring, parseKey, parseKeyText } from '../../src/seal/keyring.js';
import { SLOT_BYTES, Slot } from '../../src/seal/slot.js';
import { Unsound } from '../../src/seal/unsound.js';
import { noise, seal, unsealed } from './fixture.js';
import { keyBytes, keyringOf, namedKey } from './keys.js';

const bytes = noise(1000);

test('rotation: the first key is for new files, all of them open', async () => {
  const before = seal(bytes, keyringOf('2025'));
  const after = seal(bytes, keyringOf('2026', '2025'));
  for (const file of [before, after])
    assert.deepEqual(await unsealed(file, keyringOf('2026', '2025')), bytes);
  assert.deepEqual(await unsealed(after, keyringOf('2026')), bytes);
  await assert.rejects(unsealed(before, keyringOf('2026')), {
    code: 'KEY_MISSING',
    message: /^the file needs the encryption key "2025", and the keys here are: "2026";/,
  });
});

test('another key of the same id is told from a missing one', async () => {
  const file = seal(bytes, keyringOf('a'));
  await assert.rejects(unsealed(file, new Keyring([namedKey('a', 'other')])), {
    code: 'KEY_WRONG',
    message: /^the file is encrypted with a key "a" that is another one/,
  });
});

test('a key without a name opens what it fits, and wraps nothing', async () => {
  const file = seal(bytes, keyringOf('a'));
  const nameless = new Keyring([
    { id: null, key: namedKey('b').key },
    { id: null, key: namedKey('a').key },
  ]);
  assert.deepEqual(await unsealed(file, nameless), bytes);
  assert.throws(() => seal(bytes, nameless), { code: 'KEY_MISSING' });
  assert.throws(() => seal(bytes, Keyring.EMPTY), { code: 'KEY_MISSING', message: /keys here are: none/ });
});

test('every file has a data key of its own', () => {
  const keyring = keyringOf('a');
  const keys = Array.from({ length: 100 }, () => keyring.newDataKey());
  assert.equal(new Set(keys.map(({ dataKey }) => dataKey.toString('hex'))).size, 100);
  assert.equal(new Set(keys.map(({ slot }) => slot.bytes.toString('hex', 76, 88))).size, 100);
  for (const { dataKey, slot } of keys) assert.deepEqual(keyring.unwrap(Slot.of(slot.bytes), ''), dataKey);
});

test('a slot that was changed, its crc too, does not open', () => {
  const keyring = keyringOf('a');
  const { slot } = keyring.newDataKey();
  for (let at = 8; at < SLOT_BYTES - 4; at++) {
    const changed = Buffer.from(slot.bytes);
    changed[at] ^= 1;
    changed.writeUInt32LE(crc32(changed.subarray(0, SLOT_BYTES - 4)), SLOT_BYTES - 4);
    assert.throws(() => keyring.unwrap(Slot.of(changed), 'it'), { code: /^KEY_(WRONG|MISSING)$/ }, `${at}`);
  }
});

test('a slot of a later version says so', () => {
  const bytes = Buffer.from(keyringOf('a').newDataKey().slot.bytes);
  bytes.writeUInt16LE(2, 6);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, SLOT_BYTES - 4)), SLOT_BYTES - 4);
  assert.throws(
    () => Slot.of(bytes),
    (error) => error instanceof Unsound && /format 2/.test(error.message),
  );
});

test('keys as people keep them', () => {
  const key = keyBytes('a');
  const forms = [
    key,
    key.toString('hex'),
    `${key.toString('hex').toUpperCase()}\n`,
    `  ${key.toString('base64')}\r\n`,
    key.toString('base64url'),
  ];
  for (const form of forms) assert.deepEqual(parseKey(Buffer.from(form))?.export(), key, String(form));
  const none = [
    '',
    'secret',
    key.toString('hex').slice(1),
    `${key.toString('hex')}00`,
    'x'.repeat(33),
    'é'.repeat(32),
  ];
  for (const form of none) assert.equal(parseKey(Buffer.from(form)), null, form);
  assert.equal(parseKeyText('a password of 32 characters, fie'), null);
});

test('ids are short, plain and different', () => {
  checkIds(['2026-a', 'b.C_9', 'x'.repeat(64)]);
  for (const ids of [[''], ['a b'], ['a/b'], ['x'.repeat(65)], ['ä'], ['a', 'a']]) {
    assert.throws(() => checkIds(ids), { code: 'KEY_UNUSABLE' });
  }
});

test('what prints a keyring prints no key', () => {
  const text = inspect(keyringOf('a'), { depth: 9, showHidden: true }) + JSON.stringify(keyringOf('a'));
  for (const form of ['hex', 'base64'] as const) assert.ok(!text.includes(keyBytes('a').toString(form)));
});
