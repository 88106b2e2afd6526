import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { parseConfig } from '../../src/config/schema.js';
import { configFile, run, tempFolder } from './program.js';

test('prints the configuration that takes effect, in YAML and JSON, and both are one', async (t) => {
  const file = await configFile(await tempFolder(t));
  const yaml = await run('check', '--config', file, '--set', 'http.port=9');
  const json = await run('check', '--config', file, '--set', 'http.port=9', '--json');
  assert.deepEqual([yaml.code, json.code], [0, 0]);
  const config = JSON.parse(json.text) as { http: unknown; streams: { ring: unknown }[] };
  assert.deepEqual(config.http, { enabled: true, host: '127.0.0.1', port: 9 });
  assert.deepEqual(config.streams[0].ring, { messages: 65_536, bytes: 67_108_864, whenFull: 'flush' });
  assert.deepEqual(parse(yaml.text), config);
  // It may be started as it is.
  assert.deepEqual(parseConfig(parse(yaml.text)), config);
});

test('the command line goes over the file, and the last of it counts', async (t) => {
  const folder = await tempFolder(t);
  const file = await configFile(folder, { limits: { requests: 5 } });
  const args = [
    '--data-dir',
    join(folder, 'other'),
    '--set',
    'limits.requests=6',
    '--set',
    'limits.requests=7',
  ];
  const { code, text } = await run('check', '--config', file, '--json', ...args);
  assert.equal(code, 0);
  const config = JSON.parse(text) as { dataDir: string; limits: { requests: number } };
  assert.equal(config.dataDir, join(folder, 'other'));
  assert.equal(config.limits.requests, 7);
});

test('every problem is named with file, line and key; exit code 2', async (t) => {
  const file = join(await tempFolder(t), 'bad.yaml');
  await writeFile(
    file,
    'http:\n  prot: 1\nlimits: { requests: 0 }\nstreams:\n  - name: X\n    topics: [a]\n',
  );
  const { code, out, err } = await run('check', '--config', file);
  assert.equal(code, 2);
  assert.deepEqual(out, []);
  assert.match(err[0], /^CONFIG_INVALID: /);
  assert.deepEqual(err.slice(1).sort(), [
    `${file}:2: http.prot: there is no such key; did you mean port?`,
    `${file}:3: limits.requests: must be at least 1, got 0`,
    `${file}:5: streams[0].name: expected 1 to 64 characters of a-z 0-9 _ -, got "X"`,
  ]);
});

test('errors are JSON with --json', async (t) => {
  const { code, err } = await run('check', '--json', '--config', join(await tempFolder(t), 'none.yaml'));
  assert.equal(code, 2);
  const { error } = JSON.parse(err.join('')) as { error: { code: string; message: string } };
  assert.equal(error.code, 'CONFIG_UNREADABLE');
  assert.match(error.message, /none\.yaml/);
});

test('does not print the passwords of bridges, nor the passphrases of keys', async (t) => {
  const bridges = [{ name: 'b', url: 'mqtt://h', username: 'u', password: 'secret', out: [{ filter: 'a' }] }];
  const tls = { certificate: 'c.pem', key: 'k.pem', keyPassphrase: 'secret' };
  const file = await configFile(await tempFolder(t), { bridges, listeners: [{ protocol: 'tls', tls }] });
  for (const args of [[], ['--json']]) {
    const { code, text } = await run('check', '--config', file, ...args);
    assert.equal(code, 0);
    assert.ok(text.includes('***') && !text.includes('secret'));
  }
});
