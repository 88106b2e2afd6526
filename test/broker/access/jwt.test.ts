import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import type { Fetch } from '../../../src/broker/access/http-exchange.js';
import { JwtAuthenticator } from '../../../src/broker/access/jwt.js';
import { keySetOf, RemoteKeySet } from '../../../src/broker/access/key-set.js';
import { credentials } from './credentials.js';

const NOW_S = 1_800_000_000;
const ISSUER = 'https://id.example';
const WRONG = { allowed: false, reason: 0x86 };

interface Key {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];
  readonly jwk: object;
}

async function newKey(kid: string, alg = 'ES256'): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid } };
}

const ecKey = await newKey('ec');
const edKey = await newKey('ed', 'EdDSA');
const rsaKey = await newKey('rsa', 'RS256');

function tokenOf(key: Key, claims: JWTPayload = {}): Promise<string> {
  const all = { iss: ISSUER, aud: 'vehicle', sub: 'ada', exp: NOW_S + 60, ...claims };
  return new SignJWT(all).setProtectedHeader({ alg: key.alg, kid: key.kid }).sign(key.privateKey);
}

function linkOf(keys: readonly Key[], more: { algorithms?: string[] } = {}): JwtAuthenticator {
  return new JwtAuthenticator({
    issuer: ISSUER,
    audience: 'vehicle',
    algorithms: ['ES256', 'EdDSA', 'RS256'],
    find: keySetOf(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })),
    wallNow: () => NOW_S * 1000,
    ...more,
  });
}

const ask = (link: JwtAuthenticator, password: string | null) =>
  link.authenticate(credentials({ user: 'whoever', password }));

test('the user is the subject of a token that is valid, until it is not any more', async () => {
  const link = linkOf([ecKey, edKey, rsaKey]);
  for (const key of [ecKey, edKey, rsaKey]) {
    assert.deepEqual(await ask(link, await tokenOf(key)), {
      allowed: true,
      user: 'ada',
      until: (NOW_S + 65) * 1000,
    });
  }
  const several = await tokenOf(ecKey, { aud: ['else', 'vehicle'], nbf: NOW_S, sub: 'a/b#+' });
  assert.deepEqual(await ask(link, several), { allowed: true, user: 'a/b#+', until: (NOW_S + 65) * 1000 });
});

test('one that is not valid is refused', async () => {
  const link = linkOf([ecKey]);
  const other = await newKey('ec');
  const [head, body, signature] = (await tokenOf(ecKey)).split('.');
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: ISSUER, aud: 'vehicle', sub: 'ada', exp: NOW_S + 60 };
  const bad: Record<string, string> = {
    expired: await tokenOf(ecKey, { exp: NOW_S - 6 }),
    'not yet valid': await tokenOf(ecKey, { nbf: NOW_S + 6 }),
    'another audience': await tokenOf(ecKey, { aud: 'else' }),
    'no end': await tokenOf(ecKey, { exp: undefined }),
    'no subject': await tokenOf(ecKey, { sub: undefined }),
    'an empty subject': await tokenOf(ecKey, { sub: '' }),
    'another key with the same id': await tokenOf(other),
    'a key that is not there': await tokenOf(rsaKey),
    'a changed body': `${head}.${encoded({ ...claims, sub: 'root' })}.${signature}`,
    'no signature': `${encoded({ alg: 'none' })}.${body}.AA`,
    'the public key as a secret': `${encoded({ alg: 'HS256', kid: 'ec' })}.${body}.${signature}`,
    'an unknown algorithm': `${encoded({ alg: 'XS1', kid: 'ec' })}.${body}.${signature}`,
    'a header that is no JSON': `e30x.${body}.${signature}`,
  };
  for (const [what, token] of Object.entries(bad)) assert.deepEqual(await ask(link, token), WRONG, what);
  const onlyEd = linkOf([ecKey, edKey], { algorithms: ['EdDSA'] });
  assert.deepEqual(await ask(onlyEd, await tokenOf(ecKey)), WRONG, 'an algorithm that is not on the list');
});

test("what is no token, or somebody else's, is nothing that it knows", async () => {
  const link = linkOf([ecKey]);
  const foreign = await tokenOf(ecKey, { iss: 'https://else.example' });
  for (const password of [null, '', 'secret', 'a.b', 'a.b.c', 'a.b.c.d', '..', `${foreign}\0`, foreign]) {
    assert.equal(await ask(link, password), null, String(password));
  }
});

test('what is no set of public keys', async () => {
  const secret = { ...(await exportJWK(ecKey.privateKey)), kid: 'x' };
  const shared = { kty: 'oct', k: 'AAAA' };
  for (const text of ['', '{', '[]', '{}', '{"keys":[]}', '{"keys":{}}', '{"keys":[1]}']) {
    assert.throws(() => keySetOf(text), text);
  }
  for (const key of [secret, shared]) {
    assert.throws(() => keySetOf(JSON.stringify({ keys: [key] })), /secret/);
  }
});

/** Somebody who publishes keys, and a clock. */
class Publisher {
  keys: readonly Key[] = [ecKey];
  asked = 0;
  down = false;
  now = 0;
  readonly faults: unknown[] = [];
  readonly set = new RemoteKeySet({
    url: 'http://id.example/keys',
    timeout: 1000,
    now: () => this.now,
    onFault: (error) => this.faults.push(error),
    fetch: (async () => {
      this.asked++;
      if (this.down) throw new Error('down');
      return new Response(JSON.stringify({ keys: this.keys.map(({ jwk }) => jwk) }));
    }) as Fetch,
  });
  readonly link = new JwtAuthenticator({
    issuer: ISSUER,
    audience: 'vehicle',
    algorithms: ['ES256', 'EdDSA'],
    find: this.set.find,
    wallNow: () => NOW_S * 1000,
  });
}

test('keys are asked for again for one that is not known, at most every 30 s', async () => {
  const publisher = new Publisher();
  await publisher.set.refresh();
  const [known, unknown] = [await tokenOf(ecKey), await tokenOf(edKey)];
  for (let i = 0; i < 20; i++) assert.deepEqual(await ask(publisher.link, unknown), WRONG);
  assert.equal(publisher.asked, 1);
  publisher.now += 31_000;
  publisher.keys = [edKey];
  assert.equal((await ask(publisher.link, unknown))?.allowed, true);
  assert.equal(publisher.asked, 2);
  // The old one was withdrawn.
  assert.deepEqual(await ask(publisher.link, known), WRONG);
  assert.equal(publisher.asked, 2);
});

test('known keys stay if new ones cannot be had', async () => {
  const publisher = new Publisher();
  await publisher.set.refresh();
  publisher.down = true;
  publisher.now += 11 * 60_000;
  const token = await tokenOf(ecKey);
  assert.equal((await ask(publisher.link, token))?.allowed, true);
  await new Promise(setImmediate);
  assert.equal(publisher.faults.length, 1);
  assert.equal((await ask(publisher.link, token))?.allowed, true);
  assert.equal(publisher.asked, 2);
});

test('without any keys nobody gets in, and they are asked for every 30 s', async () => {
  const publisher = new Publisher();
  publisher.down = true;
  await publisher.set.refresh();
  const token = await tokenOf(ecKey);
  const unavailable = { allowed: false, reason: 0x88 };
  assert.deepEqual(await ask(publisher.link, token), unavailable);
  assert.equal(publisher.asked, 1);
  publisher.now += 31_000;
  assert.deepEqual(await ask(publisher.link, token), unavailable);
  publisher.down = false;
  publisher.now += 31_000;
  const all = await Promise.all(Array.from({ length: 10 }, () => ask(publisher.link, token)));
  assert.ok(all.every((verdict) => verdict?.allowed));
  assert.equal(publisher.asked, 3);
});
