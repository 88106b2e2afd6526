import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/file.js';
import { type ConfigInput, parseConfig } from '../../src/config/schema.js';
import { problemsOf } from './problems.js';

const JWT = { type: 'jwt', issuer: 'i', audience: 'a' } as const;
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

test('each type has its keys and their defaults, and parses to itself', () => {
  const input: ConfigInput['authentication'] = [
    { type: 'password', file: 'users' },
    { type: 'certificate' },
    { type: 'certificate', userFrom: 'san' },
    { ...JWT, jwksFile: 'keys.json' },
    { ...JWT, jwksUrl: 'https://id.example/keys', algorithms: ['EdDSA'], timeout: '2s' },
    { type: 'http', url: 'http://127.0.0.1:9000/login' },
  ];
  const parsed = parseConfig({ authentication: input });
  assert.deepEqual(parsed.authentication, [
    { type: 'password', file: resolve('users') },
    { type: 'certificate', userFrom: 'cn' },
    { type: 'certificate', userFrom: 'san' },
    { ...JWT, algorithms: ALGORITHMS, jwksFile: resolve('keys.json') },
    { ...JWT, algorithms: ['EdDSA'], jwksUrl: 'https://id.example/keys', timeout: 2000 },
    { type: 'http', url: 'http://127.0.0.1:9000/login', timeout: 5000 },
  ]);
  assert.deepEqual(parseConfig(parsed), parsed);
});

test('what is wrong is named, and what would be right', async () => {
  const authentication = [
    { type: 'ldap' },
    { type: 'password' },
    { type: 'password', file: '' },
    { type: 'password', file: 'a', url: 'http://a' },
    { type: 'certificate', userFrom: 'dn' },
    { ...JWT },
    { ...JWT, jwksFile: 'a', jwksUrl: 'http://a' },
    { type: 'jwt', jwksFile: 'a' },
    { ...JWT, jwksFile: 'a', algorithms: ['none'] },
    { ...JWT, jwksFile: 'a', algorithms: ['HS256'] },
    { ...JWT, jwksFile: 'a', algorithms: [] },
    { type: 'http', url: 'ftp://a' },
    { type: 'http', url: 'http://user:secret@a' },
    { type: 'http', url: 'http://a', timeout: 0 },
    { type: 'http', ulr: 'http://a' },
  ];
  const problems = await problemsOf(() => parseConfig({ authentication }));
  const http = 'expected http://... or https://... without user and password';
  const known = ALGORITHMS.join(', ');
  assert.deepEqual(
    problems.map((line) => line.replace('config: authentication', '')),
    [
      '[0].type: expected one of password, certificate, jwt, http, got "ldap"',
      '[1].file: is missing; password needs it',
      '[2].file: expected the path of a file, got ""',
      '[3].url: is for http only; remove it',
      '[4].userFrom: expected one of cn, san, got "dn"',
      '[5]: exactly one of jwksFile and jwksUrl says where the keys are',
      '[6]: exactly one of jwksFile and jwksUrl says where the keys are',
      '[7].issuer: is missing; jwt needs it',
      '[7].audience: is missing; jwt needs it',
      `[8].algorithms[0]: expected one of ${known}, got "none"`,
      `[9].algorithms[0]: expected one of ${known}, got "HS256"`,
      '[10].algorithms: expected at least 1 in the list',
      `[11].url: ${http}`,
      `[12].url: ${http}`,
      '[13].timeout: must be at least 1ms, got 0',
      '[14].ulr: there is no such key; known are type, file, userFrom, jwksFile, jwksUrl, issuer, audience, algorithms, url, timeout',
      '[14].url: is missing; http needs it',
    ],
  );
});

test('the environment sets them by index', async () => {
  const config = await loadConfig({
    env: {
      MQTT_STREAM_AUTHENTICATION__0__TYPE: 'password',
      MQTT_STREAM_AUTHENTICATION__0__FILE: '/etc/users',
      MQTT_STREAM_ACL__FILE: '/etc/acl.yaml',
    },
    readFile: async () => '',
  });
  assert.deepEqual(config.authentication, [{ type: 'password', file: '/etc/users' }]);
  assert.deepEqual(config.acl, { file: '/etc/acl.yaml', rules: [] });
});
