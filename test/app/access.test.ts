import assert from 'node:assert/strict';
import { chmod, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { exportJWK, generateKeyPair } from 'jose';
import { openAccess } from '../../src/app/access.js';
import { type Access, OPEN_ACCESS } from '../../src/broker/access/access.js';
import { passwordHashText } from '../../src/broker/access/password-hash.js';
import { type ConfigInput, parseConfig } from '../../src/config/schema.js';
import { cheapHash, credentials } from '../broker/access/credentials.js';
import { TestLog } from '../broker/fixture.js';
import { temporaryFolder } from './app-fixture.js';

type Input = Pick<ConfigInput, 'authentication' | 'acl'>;

const HASH = passwordHashText(await cheapHash('one'));
const RULES = 'rules:\n  - { permit: allow, user: ada, action: all, topic: a/# }\n';
const { publicKey } = await generateKeyPair('ES256');
const KEYS = JSON.stringify({ keys: [await exportJWK(publicKey)] });

class Place {
  readonly log = new TestLog();
  readonly users: string;
  readonly acl: string;
  readonly keys: string;

  constructor(folder: string) {
    this.users = join(folder, 'users');
    this.acl = join(folder, 'acl.yaml');
    this.keys = join(folder, 'keys.json');
  }

  static async make(t: TestContext): Promise<Place> {
    const place = new Place(await temporaryFolder(t));
    await writeFile(place.users, `ada:${HASH}\n`, { mode: 0o600 });
    await writeFile(place.acl, RULES, { mode: 0o600 });
    await writeFile(place.keys, KEYS, { mode: 0o600 });
    return place;
  }

  get input(): Input {
    const { users: file, keys: jwksFile } = this;
    return {
      authentication: [
        { type: 'password', file },
        { type: 'jwt', jwksFile, issuer: 'i', audience: 'a' },
      ],
      acl: { file: this.acl },
    };
  }

  open(input: Input = this.input) {
    const parts = { log: this.log, fs: { readFile, stat } };
    return openAccess(parseConfig(input), parts);
  }
}

async function reload(access: Access): Promise<void> {
  (await access.renew())?.();
}

const ADA = { clientId: 'c', user: 'ada', address: null, local: true, inside: false };

test('nothing configured: everybody may do everything', async (t) => {
  const place = await Place.make(t);
  assert.equal(await place.open({}), OPEN_ACCESS);
});

test('users and rules of files get in and may do what these say', async (t) => {
  const place = await Place.make(t);
  const access = await place.open();
  const right = credentials({ user: 'ada', password: 'one' });
  assert.deepEqual(await access.authenticate(right), { allowed: true, user: 'ada' });
  assert.equal((await access.authenticate(credentials({ user: 'bob', password: 'one' }))).allowed, false);
  assert.equal(access.mayPublish(ADA, 'a/b'), true);
  assert.equal(access.mayPublish(ADA, 'b'), false);
  assert.deepEqual(place.log.lines, []);
});

const FAULTS: readonly [file: 'users' | 'acl' | 'keys', text: string | null, code: string, says: RegExp][] = [
  ['users', null, 'ACCESS_FILE_UNREADABLE', /users cannot be read: ENOENT/],
  ['users', '', 'ACCESS_FILE_INVALID', /there is no user in it/],
  ['users', '# nobody\n', 'ACCESS_FILE_INVALID', /there is no user in it/],
  ['users', `ada:${HASH}\nbob\n`, 'ACCESS_FILE_INVALID', /users:2 cannot be used/],
  ['users', `ada:${HASH.slice(0, 60)}`, 'ACCESS_FILE_INVALID', /users:1 cannot be used/],
  ['acl', null, 'ACCESS_FILE_UNREADABLE', /acl\.yaml cannot be read/],
  ['acl', '', 'CONFIG_INVALID', /acl\.yaml:1: rules: is missing/],
  ['acl', `${RULES}  - {`, 'CONFIG_INVALID', /acl\.yaml:3: not valid YAML/],
  ['acl', `${RULES}  - { permit: allow }\n`, 'CONFIG_INVALID', /acl\.yaml:3: rules\[1\]\.action: is missing/],
  ['keys', null, 'ACCESS_FILE_UNREADABLE', /keys\.json cannot be read/],
  ['keys', '', 'ACCESS_FILE_INVALID', /keys\.json cannot be used: expected a JSON Web Key Set/],
  ['keys', '{"keys":[]}', 'ACCESS_FILE_INVALID', /there is no key in it/],
];

for (const [file, text, code, says] of FAULTS) {
  const what = text === null ? 'missing' : text === '' ? 'empty' : JSON.stringify(text.slice(-20));
  test(`${file} ${what}: nothing starts; a reload leaves everything as it was`, async (t) => {
    const place = await Place.make(t);
    const access = await place.open();
    let changes = 0;
    access.onChange(() => {
      changes++;
    });
    if (text === null) await rm(place[file]);
    else await writeFile(place[file], text);
    await assert.rejects(place.open(), { code, message: says });
    await assert.rejects(reload(access), { code, message: says });
    assert.equal(changes, 0);
    assert.equal(access.mayPublish(ADA, 'a/b'), true);
    const right = credentials({ user: 'ada', password: 'one' });
    assert.equal((await access.authenticate(right)).allowed, true);
  });
}

test('a reload reads users and rules again', async (t) => {
  const place = await Place.make(t);
  const access = await place.open();
  const bob = credentials({ user: 'bob', password: 'one' });
  assert.equal((await access.authenticate(bob)).allowed, false);
  await writeFile(place.users, `bob:${HASH}\n`);
  await writeFile(place.acl, RULES.replace('a/#', 'b/#'));
  await reload(access);
  assert.equal((await access.authenticate(bob)).allowed, true);
  const ada = credentials({ user: 'ada', password: 'one' });
  assert.equal((await access.authenticate(ada)).allowed, false);
  assert.deepEqual([access.mayPublish(ADA, 'a/b'), access.mayPublish(ADA, 'b/b')], [false, true]);
});

test('files that everybody may read or change are warned of', async (t) => {
  const place = await Place.make(t);
  await chmod(place.users, 0o644);
  await chmod(place.acl, 0o666);
  await chmod(place.keys, 0o644);
  await place.open();
  assert.deepEqual(
    place.log.lines.map(({ level, what, text }) => [level, (what as { file: string }).file, text]).sort(),
    [
      ['warn', place.acl, 'everybody may write to this file'],
      ['warn', place.users, 'everybody may read this file'],
    ],
  );
});

test('authentication without rules lets clients do nothing, and says so', async (t) => {
  const place = await Place.make(t);
  const access = await place.open({ authentication: [{ type: 'certificate' }] });
  assert.equal(access.mayPublish(ADA, 'a'), false);
  assert.equal(access.maySubscribe(ADA, 'a'), false);
  assert.match(place.log.lines[0].text, /no rule/);
});

test('rules without authentication: the rest is allowed, and no rule may ask who the user is', async (t) => {
  const place = await Place.make(t);
  const deny = { permit: 'deny', action: 'publish', topic: 'a/#' } as const;
  const access = await place.open({ acl: { rules: [deny] } });
  assert.deepEqual([access.mayPublish(ADA, 'a/b'), access.mayPublish(ADA, 'b')], [false, true]);
  assert.deepEqual(await access.authenticate(credentials({ user: 'x' })), { allowed: true, user: 'x' });
  const transfer = credentials({ user: 'mqtt-stream-transfer', local: true });
  assert.equal((await access.authenticate(transfer)).allowed, false);
  for (const rule of [
    { ...deny, user: 'ada' },
    { ...deny, topic: ['b', '${username}/#'] },
  ]) {
    await assert.rejects(place.open({ acl: { rules: [deny, rule] } }), {
      code: 'CONFIG_INVALID',
      message: /acl\.rules\[1\]: asks who the user is/,
    });
  }
});
