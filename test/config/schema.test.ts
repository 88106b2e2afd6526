import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { type ConfigInput, parseConfig, parseStream, type StreamInput } from '../../src/config/schema.js';
import { problemsOf } from './problems.js';

const stream = (more: object = {}) => ({ name: 's', topics: ['a/#'], ...more });

test('every key has a default', () => {
  assert.deepEqual(parseConfig({}), {
    dataDir: resolve('data'),
    disk: { reserve: 128 * 1024 * 1024 },
    listeners: [
      { protocol: 'tcp', host: '127.0.0.1', port: 1883, path: '' },
      { protocol: 'ws', host: '127.0.0.1', port: 8083, path: '/mqtt' },
    ],
    allowAnonymous: false,
    http: { enabled: true, host: '127.0.0.1', port: 8081 },
    authentication: [],
    acl: { rules: [] },
    streams: [],
    encryption: { keys: [] },
    bridges: [],
    limits: {
      packetBytes: 64 * 2 ** 20,
      clientQueueBytes: 16 * 2 ** 20,
      clientQueueMessages: 100_000,
      whenClientQueueFull: 'disconnect',
      whenSessionQueueFull: 'drop-newest',
      stalledAfter: 500,
      inflight: 1000,
      receiveMaximum: 1000,
      connections: 10_000,
      connectionsPerAddress: 0,
      connectionsPerSecond: 5000,
      connectTimeout: 10_000,
      connectBytes: 64 * 2 ** 10,
      sessions: 20_000,
      subscriptionsPerClient: 1000,
      topicLevels: 201,
      topicBytes: 65_535,
      retainedMessages: 100_000,
      retainedBytes: 256 * 2 ** 20,
      messagesPerSecond: 0,
      keepAlive: 0,
      sessionExpiry: 0,
      topicAliasMaximum: 10,
      checkPayloadFormat: false,
      requests: 32,
      requestsPerSecond: 100,
    },
    sharedSubscriptions: { strategy: 'round-robin' },
    transfer: { embedded: true, chunkBytes: 256 * 1024, decrypt: false },
    persistence: {
      store: 'level',
      sync: false,
      redis: { url: 'redis://127.0.0.1:6379', prefix: 'mqtt-stream:' },
    },
    log: { level: 'info', format: 'text', audit: { enabled: true, file: '' } },
    sys: { interval: 10_000, clientStatus: true },
  });
});

test('a stream needs its name and topics only', async () => {
  assert.deepEqual(parseStream(stream()), {
    name: 's',
    topics: ['a/#'],
    exclude: [],
    durability: 'process',
    onDiskFull: 'stop-capture',
    writeBudget: { perDay: 0, stopJournal: false },
    syncInterval: 50,
    ring: { messages: 65_536, bytes: 64 * 2 ** 20, whenFull: 'flush' },
    flush: { every: 60_000, bytes: 48 * 2 ** 20, messages: 100_000, idle: 10_000 },
    parquet: { compression: 'zstd' },
    encryption: { enabled: false },
    merge: { enabled: true, below: 8 * 2 ** 20 },
    retention: { maxBytes: 2 ** 30, maxFiles: 0, maxAge: 604_800_000 },
  });
  assert.deepEqual(await problemsOf(() => parseStream({})), [
    'stream: name: is missing; expected a text',
    'stream: topics: is missing; expected a list',
  ]);
});

test('a parsed configuration parses to itself', () => {
  const input: ConfigInput = {
    dataDir: 'here',
    listeners: [{ protocol: 'tcp', port: 0 }, { protocol: 'ws', port: 0 }, { port: 0 }],
    streams: [{ name: 'x', topics: ['#'], ring: { whenFull: '1', bytes: '4KiB' }, flush: { every: 0 } }],
  };
  const once = parseConfig(input);
  assert.deepEqual(parseConfig(once), once);
  assert.equal(once.streams[0]?.ring.whenFull, 'drop-oldest');
});

test('the words and the numbers of whenFull', () => {
  const words = ['reject', 'drop-oldest', 'return', 'flush'] as const;
  for (const [number, word] of words.entries()) {
    for (const written of [word, number, String(number)]) {
      assert.equal(parseStream(stream({ ring: { whenFull: written } })).ring.whenFull, word);
    }
  }
});

test('listeners: defaults by protocol, and what does not go with it', async () => {
  const [plain, ws] = parseConfig({ listeners: [{}, { protocol: 'ws', path: '/' }] }).listeners;
  assert.deepEqual(plain, { protocol: 'tcp', host: '127.0.0.1', port: 1883, path: '' });
  assert.deepEqual(ws, { protocol: 'ws', host: '127.0.0.1', port: 8083, path: '/' });
  const files = { certificate: 'a.pem', key: '/b.pem' };
  const tls = {
    certificate: resolve('a.pem'),
    key: '/b.pem',
    requireClientCert: false,
    minVersion: 'TLSv1.2',
  };
  assert.deepEqual(
    parseConfig({
      listeners: [
        { protocol: 'tls', tls: files },
        { protocol: 'wss', tls: files },
      ],
    }).listeners,
    [
      { protocol: 'tls', host: '127.0.0.1', port: 8883, path: '', tls },
      { protocol: 'wss', host: '127.0.0.1', port: 8084, path: '/mqtt', tls },
    ],
  );
  const listeners = [
    { protocol: 'tls', port: 0 },
    { protocol: 'wss', port: 0, tls: { ...files, requireClientCert: true } },
    { protocol: 'quic', port: 0 },
    { protocol: 'tcp', port: 0, path: '/mqtt', tls: files },
    { protocol: 'ws', port: 0, path: 'mqtt' },
    { host: '' },
  ];
  assert.deepEqual(await problemsOf(() => parseConfig({ listeners })), [
    'config: listeners[0].tls: is missing; expected certificate and key',
    'config: listeners[1].tls.ca: is missing; requireClientCert needs the certificates of those who sign for clients',
    'config: listeners[2].protocol: expected one of tcp, tls, ws, wss, got "quic"',
    'config: listeners[3].path: is for ws and wss only; remove it',
    'config: listeners[3].tls: is for tls and wss only; use protocol tls',
    'config: listeners[4].path: expected a path such as /mqtt, got "mqtt"',
    'config: listeners[5].host: expected a host name or an IP address, got ""',
  ]);
});

test('one address for two listeners is an error, free ports are not', async () => {
  const listeners = [{ port: 8081 }, { port: 9000 }, { protocol: 'ws', port: 9000 }];
  assert.deepEqual(await problemsOf(() => parseConfig({ listeners })), [
    'config: listeners[2].port: 127.0.0.1:9000 is the address of listeners[1] already; choose another port',
    'config: http.port: 127.0.0.1:8081 is the address of listeners[0] already; choose another port',
  ]);
  parseConfig({ listeners: [{ port: 0 }, { port: 0 }], http: { port: 0 } });
  parseConfig({ listeners: [{ port: 8081 }], http: { enabled: false } });
});

test('without authentication only addresses of this machine are listened on, unless it is written down', async () => {
  const open = {
    listeners: [
      { host: '0.0.0.0' },
      { host: '127.1.2.3' },
      { host: 'localhost', port: 1 },
      { host: '::', port: 2 },
    ],
    http: { host: '10.0.0.1' },
  };
  const advice =
    'can be reached from the network, and clients need not say who they are; use 127.0.0.1, configure authentication, or set allowAnonymous: true';
  assert.deepEqual(await problemsOf(() => parseConfig(open)), [
    `config: listeners[0].host: 0.0.0.0 ${advice}`,
    `config: listeners[3].host: :: ${advice}`,
    `config: http.host: 10.0.0.1 ${advice}`,
  ]);
  parseConfig({ ...open, allowAnonymous: true });
  parseConfig({ http: { ...open.http, enabled: false } });
  for (const host of ['127.0.0.1.evil.example', '127.0.0', '1127.0.0.1', 'localhost.example', '::2']) {
    assert.equal((await problemsOf(() => parseConfig({ listeners: [{ host }] }))).length, 1, host);
  }
});

test('durability: one of four levels', async () => {
  for (const word of ['none', 'process', 'interval', 'strict']) {
    assert.equal(parseStream(stream({ durability: word })).durability, word);
  }
  assert.deepEqual(await problemsOf(() => parseStream(stream({ durability: 'full' }))), [
    'stream: durability: expected one of none, process, interval, strict, got "full"',
  ]);
});

test('bounds of a stream, each at both sides', async () => {
  const cases: [key: string, part: string, good: unknown[], bad: unknown[]][] = [
    ['ring', 'messages', [2, 16_777_216], [1, 0, -1, 16_777_217, 2.5, '2']],
    ['ring', 'bytes', ['4KiB', '2GiB'], [4095, 2 ** 31 + 1]],
    ['ring', 'whenFull', ['flush'], [4, -1, '4', 'drop', null]],
    ['flush', 'every', [0, '24d'], [-1, '25d']],
    ['flush', 'bytes', ['1KiB', '64MiB'], [1023, '65MiB']],
    ['flush', 'messages', [1], [0]],
    ['flush', 'idle', [0, '24d'], [-1, '25d']],
    ['parquet', 'compression', ['none', 'snappy', 'gzip', 'brotli', 'zstd', 'lz4'], ['lzo', '']],
    ['retention', 'maxBytes', [0, '9TiB'], [-1]],
    ['retention', 'maxFiles', [0, 1e9], [-1, 0.5]],
    ['retention', 'maxAge', [0, '3650d'], [-1]],
  ];
  for (const [key, part, good, bad] of cases) {
    for (const value of good) parseStream(stream({ [key]: { [part]: value } }));
    for (const value of bad) {
      const problems = await problemsOf(() => parseStream(stream({ [key]: { [part]: value } })));
      assert.equal(problems.length, 1);
      assert.ok(problems[0]!.startsWith(`stream: ${key}.${part}: `), problems[0]);
    }
  }
});

test('a flush may be larger than the ring', () => {
  const parsed = parseStream(stream({ ring: { bytes: '4KiB' }, flush: { bytes: '64MiB' } }));
  assert.ok(parsed.flush.bytes > parsed.ring.bytes);
});

test('bounds of the broker', async () => {
  const cases: [key: string, part: string, good: unknown[], bad: unknown[]][] = [
    ['http', 'port', [0, 65_535], [-1, 65_536]],
    ['http', 'enabled', [true, false], ['true', 1, null]],
    ['limits', 'packetBytes', ['1KiB', 268_435_455], ['256MiB', 0]],
    ['limits', 'inflight', [1, 65_535], [0, 65_536]],
    ['limits', 'whenSessionQueueFull', ['drop-newest', 'drop-oldest'], ['disconnect', 0]],
    ['limits', 'receiveMaximum', [1, 65_535], [0, 65_536]],
    ['limits', 'connections', [1], [0]],
    ['limits', 'sessions', [1], [0]],
    ['limits', 'subscriptionsPerClient', [1], [0]],
    ['limits', 'topicBytes', [1, 65_535], [0, '64KiB']],
    ['limits', 'retainedMessages', [0, 1], [-1]],
    ['limits', 'retainedBytes', [0, '1KiB'], [-1]],
    ['limits', 'messagesPerSecond', [0, 1], [-1, 0.5]],
    ['limits', 'requestsPerSecond', [0, 1], [-1]],
    ['limits', 'topicLevels', [1], [0]],
    ['limits', 'requests', [1], [0]],
    ['limits', 'topicAliasMaximum', [0, 65_535], [-1, 65_536]],
    ['limits', 'receiveMaximum', [1, 65_535], [0, 65_536]],
    ['limits', 'clientQueueMessages', [1], [0]],
    ['limits', 'whenClientQueueFull', ['disconnect', 'drop'], ['queue', '', 1]],
    ['limits', 'stalledAfter', [1, '10s'], [0, '25d']],
    ['limits', 'clientQueueBytes', ['1KiB'], [0]],
    ['sharedSubscriptions', 'strategy', ['round-robin', 'sticky'], ['random', 0]],
    ['transfer', 'chunkBytes', ['1KiB', '16MiB'], [1023, '17MiB']],
    ['log', 'level', ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], ['verbose']],
    ['log', 'format', ['text', 'json'], ['xml']],
    ['sys', 'interval', [0, '24d'], [-1, '25d', 'often']],
    ['sys', 'clientStatus', [true, false], ['yes', 0]],
  ];
  for (const [key, part, good, bad] of cases) {
    for (const value of good) parseConfig({ [key]: { [part]: value } });
    for (const value of bad) {
      const problems = await problemsOf(() => parseConfig({ [key]: { [part]: value } }));
      assert.equal(problems.length, 1);
      assert.ok(problems[0]!.startsWith(`config: ${key}.${part}: `), problems[0]);
    }
  }
});

test('names of streams: their characters, and no two the same even beside other problems', async () => {
  for (const name of ['a', 'a-b_9', 'x'.repeat(64)]) parseStream({ name, topics: ['#'] });
  for (const name of ['', 'A', 'a b', '../a', 'a\n', 'x'.repeat(65), 'ä', 7]) {
    const problems = await problemsOf(() => parseStream({ name, topics: ['#'] }));
    assert.match(problems[0]!, /^stream: name: expected/);
  }
  const streams = [stream(), stream({ ring: { messages: 2.5 } }), stream({ name: 't' }), stream()];
  assert.deepEqual(await problemsOf(() => parseConfig({ streams, http: { port: 'x' } })), [
    'config: http.port: expected a number, got "x"',
    'config: streams[1].ring.messages: expected a whole number, got 2.5',
    'config: streams[1].name: "s" is the name of streams[0] already; choose another',
    'config: streams[3].name: "s" is the name of streams[0] already; choose another',
  ]);
});

test('topics and exclude are filters', async () => {
  const bad = stream({ topics: ['a/#/b', '$SYS/#', 5], exclude: ['a+', '$SYS/#'] });
  const expected = [
    /^new stream: topics\[0\]: "#" .*, got "a\/#\/b"$/,
    /^new stream: topics\[1\]: .* never captured, got "\$SYS\/#"$/,
    /^new stream: topics\[2\]: expected a text, got 5$/,
    /^new stream: exclude\[0\]: "\+" .*, got "a\+"$/,
  ];
  const problems = await problemsOf(() => parseStream(bad, 'new stream'));
  assert.equal(problems.length, expected.length);
  for (const [index, line] of problems.entries()) assert.match(line, expected[index]!);
  assert.deepEqual(await problemsOf(() => parseStream(stream({ topics: [] }))), [
    'stream: topics: expected at least 1 in the list',
  ]);
});

test('unknown keys, with what was meant if it is near', async () => {
  const input = { htpp: {}, HTTP: {}, log: { levle: 'info' }, streams: [stream({ ring: { whenfull: 1 } })] };
  assert.deepEqual((await problemsOf(() => parseConfig(input))).sort(), [
    'config: HTTP: there is no such key; did you mean http?',
    'config: htpp: there is no such key; did you mean http?',
    'config: log.levle: there is no such key; did you mean level?',
    'config: streams[0].ring.whenfull: there is no such key; did you mean whenFull?',
  ]);
  assert.deepEqual(await problemsOf(() => parseConfig({ transfer: { zebra: 1 } })), [
    'config: transfer.zebra: there is no such key; known are embedded, chunkBytes, decrypt',
  ]);
});

test('a Redis is given by its URL, which is not shown, and a prefix', async () => {
  const problemsWith = (redis: object) =>
    problemsOf(() => parseConfig({ persistence: { store: 'redis', redis } }));
  for (const url of ['redis://h:1', 'rediss://user:secret@h/2', 'redis://[::1]:6379']) {
    assert.equal(parseConfig({ persistence: { redis: { url } } }).persistence.redis.url, url);
  }
  for (const url of ['http://user:secret@h', 'h:6379', 'redis://', 'redis://h:x', '']) {
    assert.deepEqual(await problemsWith({ url }), [
      'config: persistence.redis.url: expected a URL such as redis://127.0.0.1:6379',
    ]);
  }
  assert.deepEqual(await problemsWith({ prefix: 'a b' }), [
    'config: persistence.redis.prefix: expected 1 to 64 ASCII characters without spaces, got "a b"',
  ]);
});

test('hostile keys and values stay on one line and touch no prototype', async () => {
  const input: unknown = JSON.parse(
    '{"__proto__": {"http": {"port": 1}}, "constructor": 1, "a\\nb: c": 1, "log": {"toString": 1}}',
  );
  const problems = await problemsOf(() => parseConfig(input));
  assert.equal(problems.length, 4);
  assert.ok(problems.some((line) => line.startsWith('config: __proto__: ')));
  assert.ok(problems.some((line) => line.startsWith('config: constructor: ')));
  assert.ok(problems.some((line) => line.startsWith('config: "a\\nb: c": ')));
  assert.ok(problems.some((line) => line.startsWith('config: log.toString: ')));
  const long = await problemsOf(() => parseConfig({ log: { level: `%s\n${'x'.repeat(5000)}` } }));
  assert.equal(long.length, 1);
  assert.ok(long[0]!.length < 200);
  for (const whole of [null, [], 'text', 5]) {
    assert.match((await problemsOf(() => parseConfig(whole)))[0]!, /^config: expected a map of keys/);
  }
});

test('many problems are counted, not all shown', async () => {
  const streams = Array.from({ length: 80 }, () => 1);
  const problems = await problemsOf(() => parseConfig({ streams }));
  assert.equal(problems.length, 51);
  assert.equal(problems[50], 'and 30 more');
});

test('the types of the input', () => {
  const input: StreamInput = { name: 'typed', topics: ['a'], ring: { bytes: 8192, whenFull: 3 } };
  assert.equal(parseStream(input).ring.bytes, 8192);
  assert.equal(parseConfig({ dataDir: '/abs/olute' }).dataDir, resolve('/abs/olute'));
});
