import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingsOf } from '../../src/cli/settings.js';
import { MqttStreamError } from '../../src/errors.js';

/** Without null prototypes. */
const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;

test('keys are dotted, values are YAML', () => {
  const settings = settingsOf([
    'http.port=8090',
    'http.enabled=false',
    'dataDir=/a=b',
    'log.level=debug',
    'streams=[{name: a, topics: ["a/#"]}]',
    'limits.packetBytes=1MiB',
  ]);
  assert.deepEqual(plain(settings), {
    http: { port: 8090, enabled: false },
    dataDir: '/a=b',
    log: { level: 'debug' },
    streams: [{ name: 'a', topics: ['a/#'] }],
    limits: { packetBytes: '1MiB' },
  });
});

test('later ones go over earlier ones', () => {
  assert.deepEqual(plain(settingsOf(['http.port=1', 'http.port=2'])), { http: { port: 2 } });
  assert.deepEqual(plain(settingsOf(['http={port: 1}', 'http.host=b'])), { http: { port: 1, host: 'b' } });
  assert.deepEqual(plain(settingsOf(['http=1', 'http.host=b'])), { http: { host: 'b' } });
  assert.deepEqual(plain(settingsOf(['http.host=b', 'http={port: 1}'])), { http: { port: 1 } });
});

const WRONG: readonly [setting: string, says: RegExp][] = [
  ['http.port', /expected key=value/],
  ['=1', /expected key=value/],
  ['', /expected key=value/],
  ['http.prot=1', /http\.prot: there is no such key; did you mean port\?/],
  ['__proto__.polluted=1', /__proto__\.polluted: there is no such key/],
  ['constructor.prototype.polluted=1', /there is no such key/],
  ['http..port=1', /there is no such key/],
  ['http.port.x=1', /"http\.port" has no keys/],
  // Nothing would come of these: a list has no such key.
  ['streams.0.name=a', /"streams" is a list/],
  ['listeners.port=1', /"listeners" is a list/],
  ['streams=[a', /not valid YAML/],
];

for (const [setting, says] of WRONG) {
  test(`${JSON.stringify(setting)} is an error`, () => {
    assert.throws(
      () => settingsOf([setting]),
      (error) =>
        error instanceof MqttStreamError && error.code === 'CONFIG_INVALID' && says.test(error.message),
    );
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });
}
