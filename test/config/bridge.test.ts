import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../src/config/schema.js';
import { problemsOf } from './problems.js';

const out = [{ filter: 'a/#' }];
const bridge = (more: object = {}) => ({ name: 'cloud', url: 'mqtt://host', out, ...more });
const streams = [{ name: 'vehicle', topics: ['a/#'] }];
const parse = (...bridges: object[]) => parseConfig({ streams, bridges });
const problems = (...bridges: object[]) => problemsOf(() => parse(...bridges));

test('a bridge needs its name, url and in or out only', () => {
  const { bridges } = parse(bridge());
  assert.deepEqual(bridges, [
    {
      name: 'cloud',
      url: 'mqtt://host',
      tls: { verify: true },
      protocolVersion: 5,
      bridgeMode: true,
      keepAlive: 60_000,
      cleanStart: false,
      sessionExpiry: 86_400_000,
      connectTimeout: 10_000,
      reconnect: { min: 1000, max: 60_000 },
      maxQos: 1,
      inflight: 1000,
      bandwidth: 0,
      queue: { messages: 1000, bytes: 16 * 2 ** 20 },
      in: [],
      out: [{ filter: 'a/#', qos: 1, remove: '', add: '' }],
    },
  ]);
  assert.deepEqual(parseConfig({ streams, bridges }).bridges, bridges);
});

test('a whole one', () => {
  const rules = [{ filter: 'a/+/b', qos: 0, remove: 'a/', add: 'x/' }];
  const whole = bridge({
    url: 'wss://host:443/mqtt',
    username: 'car',
    passwordFile: '/run/secret',
    tls: { ca: 'ca.pem', cert: 'c.pem', key: 'k.pem', verify: false },
    bandwidth: '64KiB',
    in: rules,
    out: rules,
  });
  assert.equal(parse(whole).bridges[0]?.bandwidth, 65_536);
});

test('what is wrong is said, without repeating a password', async () => {
  for (const [more, text] of [
    [{ name: 'Cloud' }, 'name: expected 1 to 64 characters of a-z 0-9 _ -, got "Cloud"'],
    [{ url: 'http://host' }, /^url: expected mqtt:\/\/host/],
    [
      { url: 'mqtt://car:secret@host' },
      'url: holds a user name or password; use username, and password or passwordFile',
    ],
    [{ out: [] }, 'has neither in nor out; nothing would pass'],
    [{ username: 'u', password: 'p', passwordFile: 'f' }, 'password: or passwordFile, not both'],
    [{ password: 'secret' }, 'username: is missing; a password needs one'],
    [{ url: 'mqtts://host', tls: { cert: 'x' } }, 'tls: cert and key belong together'],
    [{ tls: { ca: 'x' } }, 'tls: needs a url with mqtts:// or wss://'],
    [{ protocolVersion: 3 }, 'protocolVersion: expected 4 (MQTT 3.1.1) or 5, got 3'],
    [{ reconnect: { min: '2m' } }, 'reconnect.min: must be at most max'],
    [{ maxQos: 2 }, 'maxQos: must be at most 1, got 2'],
    [{ out: [{ filter: 'a/#/b' }] }, /^out\[0\]\.filter: "#" stands alone and last/],
    [{ out: [{ filter: '$share/g/a' }] }, /^out\[0\]\.filter: .*\$share/],
    [
      { in: [{ filter: 'a/#', remove: 'b/' }] },
      'in[0].remove: must be what the filter begins with, got "b/" for "a/#"',
    ],
    [{ in: [{ filter: 'a/#', add: 'b/+/' }] }, /^in\[0\]\.add: a topic name has no wildcard/],
    [{ stream: 'radar' }, 'stream: there is no stream "radar"; known are vehicle'],
    [{ stream: 'vehicle', maxQos: 0 }, 'maxQos: must be 1 with a stream: QoS 0 is not acknowledged'],
    [
      { stream: 'vehicle', out: [{ filter: 'a/#', qos: 0 }] },
      'out[0].qos: must be 1 with a stream: QoS 0 is not acknowledged',
    ],
    [{ stream: 'vehicle', out: [], in: out }, 'stream: is for what is sent; add out'],
    [{ subscribe: [] }, /^subscribe: there is no such key/],
  ] as const) {
    const [line] = await problems(bridge(more));
    const said = line!.replace(/^config: bridges\[0\](\.|: )/, '');
    if (typeof text === 'string') assert.equal(said, text);
    else assert.match(said, text);
    assert.doesNotMatch(said, /secret/);
  }
});

test('names differ, and a stream keeps its messages', async () => {
  assert.deepEqual(await problems(bridge(), bridge()), [
    'config: bridges[1].name: "cloud" is the name of bridges[0] already; choose another',
  ]);
  const handed = [{ name: 'vehicle', topics: ['a/#'], ring: { whenFull: 'return' } }];
  const bridges = [bridge({ stream: 'vehicle' })];
  assert.deepEqual(await problemsOf(() => parseConfig({ streams: handed as never, bridges })), [
    'config: bridges[0].stream: is "vehicle", whose messages are handed over (ring.whenFull: return); choose another',
  ]);
});
