import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/file.js';
import { parseConfig } from '../../src/config/schema.js';
import { MqttStreamError } from '../../src/errors.js';
import { problemsOf } from './problems.js';

const load = (text: string, env: NodeJS.ProcessEnv = {}, overrides?: object) =>
  loadConfig({ file: 'config.yaml', env, overrides, readFile: async () => text });

const failing = (code: string) => async (file: string) => {
  throw Object.assign(new Error(`${code}: ${file}`), { code });
};

test('the config.yaml of the package holds the defaults and one stream', async () => {
  const file = new URL('../../../config.yaml', import.meta.url);
  const config = await load(await readFile(file, 'utf8'));
  assert.deepEqual(config, parseConfig({ streams: [{ name: 'vehicle', topics: ['vehicle/#'] }] }));
});

test('the config.yaml of the package shows every key', async () => {
  const text = await readFile(new URL('../../../config.yaml', import.meta.url), 'utf8');
  const keysOf = (value: unknown): string[] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, inner]) => [key, ...keysOf(inner)])
      : [];
  const keys = new Set(keysOf(await load(text)).filter((key) => !/^\d+$/.test(key)));
  assert.ok(keys.size > 30);
  for (const key of keys) assert.match(text, new RegExp(`\\b${key}:`), key);
});

test('without a file: config.yaml if it exists, else the defaults', async () => {
  const asked: string[] = [];
  const found = await loadConfig({
    env: {},
    readFile: async (file) => {
      asked.push(file);
      return 'http: {port: 9}';
    },
  });
  assert.deepEqual(asked, ['config.yaml']);
  assert.equal(found.http.port, 9);
  assert.deepEqual(await loadConfig({ env: {}, readFile: failing('ENOENT') }), parseConfig({}));
});

test('a file that cannot be read is an error, unless it was not asked for and does not exist', async () => {
  const unreadable = (error: unknown) =>
    error instanceof MqttStreamError && error.code === 'CONFIG_UNREADABLE' && error.cause instanceof Error;
  const named = { file: 'other.yaml', env: {} };
  await assert.rejects(loadConfig({ ...named, readFile: failing('ENOENT') }), unreadable);
  await assert.rejects(loadConfig({ ...named, readFile: failing('EISDIR') }), /other\.yaml: EISDIR/);
  await assert.rejects(loadConfig({ env: {}, readFile: failing('EACCES') }), unreadable);
});

test('defaults < file < environment < command line', async () => {
  const text = 'http: {host: 127.0.0.2, port: 2}\nlog: {level: debug}\nlimits: {requests: 2}\n';
  const env = { MQTT_STREAM_HTTP__PORT: '3', MQTT_STREAM_LIMITS__REQUESTS: '3', PATH: '/bin' };
  const overrides = { limits: { requests: 4, inflight: undefined } };
  const config = await load(text, env, overrides);
  assert.deepEqual(config.http, { enabled: true, host: '127.0.0.2', port: 3 });
  assert.equal(config.log.level, 'debug');
  assert.equal(config.limits.requests, 4);
  assert.equal(config.limits.inflight, 1000);
});

test('variables become what the key takes', async () => {
  const config = await load('', {
    MQTT_STREAM_DATA_DIR: '/123',
    MQTT_STREAM_HTTP__ENABLED: 'False',
    MQTT_STREAM_HTTP__HOST: '0',
    MQTT_STREAM_limits__packetBytes: '1MiB',
    MQTT_STREAM_LIMITS__CLIENT_QUEUE_BYTES: '2048',
    MQTT_STREAM_STREAMS__0__NAME: '7',
    MQTT_STREAM_STREAMS__0__TOPICS__0: 'true',
    MQTT_STREAM_STREAMS__0__TOPICS__1: '5',
    MQTT_STREAM_STREAMS__0__RING__WHEN_FULL: '1',
    MQTT_STREAM_STREAMS__0__FLUSH__EVERY: '5s',
    MQTT_STREAM_STREAMS__0__FLUSH__IDLE: '0',
  });
  assert.equal(config.dataDir, '/123');
  assert.deepEqual(config.http, { enabled: false, host: '0', port: 8081 });
  assert.equal(config.limits.packetBytes, 1_048_576);
  assert.equal(config.limits.clientQueueBytes, 2048);
  const [stream] = config.streams;
  assert.equal(stream?.name, '7');
  assert.deepEqual(stream?.topics, ['true', '5']);
  assert.equal(stream?.ring.whenFull, 'drop-oldest');
  assert.equal(stream?.flush.every, 5000);
  assert.equal(stream?.flush.idle, 0);
});

test('list items by index: of the file, of the defaults, new ones in the order of their numbers', async () => {
  const first = await load('', { MQTT_STREAM_LISTENERS__0__PORT: '1884' });
  assert.deepEqual(
    first.listeners.map(({ protocol, port }) => `${protocol}:${port}`),
    ['tcp:1884', 'ws:8083'],
  );
  const text = 'listeners:\n  - {protocol: ws, port: 7}\n';
  const env: NodeJS.ProcessEnv = { MQTT_STREAM_LISTENERS__0__PORT: '0' };
  for (let index = 1; index <= 11; index++)
    env[`MQTT_STREAM_LISTENERS__${index}__PORT`] = String(9000 + index);
  const { listeners } = await load(text, env);
  assert.equal(listeners.length, 12);
  assert.deepEqual(listeners[0], { protocol: 'ws', host: '127.0.0.1', port: 0, path: '/mqtt' });
  assert.equal(listeners[11]?.port, 9011);
});

test('a layer over an alias changes one place only', async () => {
  const text = `streams:
  - {name: a, topics: [a], ring: &ring {messages: 8}}
  - {name: b, topics: [b], ring: *ring}
`;
  const config = await load(text, { MQTT_STREAM_STREAMS__0__RING__MESSAGES: '16' });
  assert.deepEqual(
    config.streams.map(({ ring }) => ring.messages),
    [16, 8],
  );
});

test('lists of the command line replace those below', async () => {
  const env = { MQTT_STREAM_LISTENERS__0__PORT: 'x' };
  const config = await load('listeners: [{port: 1}, {port: 2}]', env, { listeners: [{ port: 3 }] });
  assert.deepEqual(
    config.listeners.map(({ port }) => port),
    [3],
  );
  const bad = () => load('listeners: [{port: 1}, {port: 2}]', env, { listeners: [{ port: -3 }] });
  assert.deepEqual(await problemsOf(bad), ['command line: listeners[0].port: must be at least 0, got -3']);
});

test('all problems of a file at once, with line and key', async () => {
  const text = `dataDir: 5
htpp: {}
http:
  port: high
streams:
  - name: vehicle
    topics: [a/#]
    ring:
      messages: 1
      whenFull: never
      messages: 2
  - name: vehicle
    exclude:
`;
  assert.deepEqual((await problemsOf(() => load(text))).sort(), [
    'config.yaml:10: streams[0].ring.whenFull: expected one of flush, drop-oldest, reject, return (3, 1, 0, 2), got "never"',
    'config.yaml:11: streams[0].ring.messages: is set twice, first in line 9; keep one of them',
    'config.yaml:12: streams[1].name: "vehicle" is the name of streams[0] already; choose another',
    'config.yaml:12: streams[1].topics: is missing; expected a list',
    'config.yaml:13: streams[1].exclude: expected a list, got nothing',
    'config.yaml:1: dataDir: expected a text, got 5',
    'config.yaml:2: htpp: there is no such key; did you mean http?',
    'config.yaml:4: http.port: expected a number, got "high"',
    'config.yaml:9: streams[0].ring.messages: must be at least 2, got 1',
  ]);
});

test('a duplicate key alone is an error', async () => {
  assert.deepEqual(await problemsOf(() => load('log: {level: info, level: info}')), [
    'config.yaml:1: log.level: is set twice, first in line 1; keep one of them',
  ]);
});

test('without a file, a conflict with a default says so', async () => {
  const env = { MQTT_STREAM_LISTENERS__0__PORT: '8081' };
  assert.deepEqual(await problemsOf(() => loadConfig({ env, readFile: failing('ENOENT') })), [
    'defaults: http.port: 127.0.0.1:8081 is the address of listeners[0] already; choose another port',
  ]);
});

test('a file that is no map, or no YAML', async () => {
  assert.deepEqual(await problemsOf(() => load('- a\n')), [
    'config.yaml:1: expected a map of keys, got a list',
  ]);
  assert.deepEqual(await problemsOf(() => load('text')), [
    'config.yaml:1: expected a map of keys, got "text"',
  ]);
  const broken = await problemsOf(() => load('a: [1\n', { MQTT_STREAM_STREAMS__0__RING__BYTES: '1' }));
  assert.equal(broken.length, 1);
  assert.match(broken[0]!, /^config\.yaml:\d: not valid YAML: /);
});

test('problems of the environment name the variable', async () => {
  const env = {
    MQTT_STREAM_HTTP__PORT: '99999',
    MQTT_STREAM_HTTP__PORTT: '1',
    MQTT_STREAM_HTTP__PORT__X: '1',
    MQTT_STREAM_HTTP__ENABLED: 'yes',
    MQTT_STREAM_LIMITS__PACKET_BYTES: '5',
    MQTT_STREAM_LOG: 'debug',
    MQTT_STREAM_DATA_DIR: '',
    MQTT_STREAM___PROTO____X: '1',
    MQTT_STREAM_STREAMS__X__NAME: 'x',
    MQTT_STREAM_STREAMS__1234567__NAME: 'x',
    MQTT_STREAM_STREAMS__1__NAME: 'x',
  };
  const problems = await problemsOf(() => load('http: {port: 1}', env));
  const expected = [
    'MQTT_STREAM_DATA_DIR: dataDir: expected the path of a folder, got ""',
    'MQTT_STREAM_HTTP__ENABLED: http.enabled: expected true or false, got "yes"',
    'MQTT_STREAM_HTTP__PORT: http.port: must be at most 65535, got 99999',
    'MQTT_STREAM_HTTP__PORT__X: MQTT_STREAM_HTTP__PORT has no keys below it',
    'MQTT_STREAM_HTTP__PORTT: there is no such key; did you mean MQTT_STREAM_HTTP__PORT?',
    'MQTT_STREAM_LIMITS__PACKET_BYTES: limits.packetBytes: must be at least 1KiB, got 5',
    'MQTT_STREAM_LOG: log: expected a map of keys, got "debug"',
    'MQTT_STREAM_STREAMS__1__NAME: streams[0]: is missing; expected a map of keys',
    'MQTT_STREAM_STREAMS__1__NAME: streams[1].topics: is missing; expected a list',
    'MQTT_STREAM_STREAMS__1234567__NAME: expected an index such as MQTT_STREAM_STREAMS__0, got MQTT_STREAM_STREAMS__1234567',
    'MQTT_STREAM_STREAMS__X__NAME: expected an index such as MQTT_STREAM_STREAMS__0, got MQTT_STREAM_STREAMS__X',
  ];
  for (const line of expected) assert.ok(problems.includes(line), `${line}\nnot in\n${problems.join('\n')}`);
  const proto = problems.filter((line) => !expected.includes(line));
  assert.equal(proto.length, 1);
  assert.match(
    proto[0]!,
    /^MQTT_STREAM___PROTO____X: there is no such key; known are MQTT_STREAM_DATA_DIR, /,
  );
});

test('problems of the command line say so, those of the file keep their line', async () => {
  const overrides = { log: { level: 'loud' }, nope: 1, streams: undefined };
  assert.deepEqual(
    (await problemsOf(() => load('http: 7\n', { MQTT_STREAM_HTTP__PORT: '1' }, overrides))).sort(),
    [
      'command line: log.level: expected one of trace, debug, info, warn, error, fatal, silent, got "loud"',
      'command line: nope: there is no such key; known are dataDir, disk, listeners, allowAnonymous, http, authentication, acl, streams, encryption, bridges, limits, sharedSubscriptions, transfer, persistence, log, sys',
      'config.yaml:1: http: expected a map of keys, got 7',
    ],
  );
});
