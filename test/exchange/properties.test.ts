import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeProperties, type KeptProperties } from '../../src/exchange/properties.js';
import { replayed } from '../../src/query/outlet.js';

function json(properties: KeptProperties | undefined): string | null {
  const bytes = encodeProperties(properties);
  return bytes === null ? null : Buffer.from(bytes).toString();
}

/** What subscribers of a replay get of the properties of a message. */
function roundTrip(properties: KeptProperties | undefined): Record<string, unknown> | undefined {
  const message = {
    key: 1,
    topic: 't',
    clientId: null,
    qos: 0,
    retain: false,
    payload: new Uint8Array(0),
    properties: json(properties),
  } as const;
  return replayed('r', message).properties;
}

test('a message without properties has none', () => {
  assert.equal(json(undefined), null);
  assert.equal(json({}), null);
  assert.equal(roundTrip(undefined), undefined);
});

test('the JSON is what the contract says', () => {
  const text = json({
    contentType: 'text/plain',
    userProperties: { a: '1' },
    responseTopic: 'r/t',
    correlationData: Buffer.from([0, 255, 7]),
    messageExpiryInterval: 60,
    payloadFormatIndicator: true,
  });
  assert.deepEqual(JSON.parse(text!), {
    contentType: 'text/plain',
    userProperties: { a: '1' },
    responseTopic: 'r/t',
    correlationData: 'AP8H',
    messageExpiryInterval: 60,
    payloadFormatIndicator: true,
  });
});

test('all comes back, but the expiry, which ran when it was published', () => {
  const { messageExpiryInterval: _, ...kept } = {
    contentType: 'ü/"\n',
    responseTopic: '',
    correlationData: Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
    userProperties: { single: 'x', repeated: ['1', '2', '1'], '': '', é: '\u0000' },
    payloadFormatIndicator: false,
    messageExpiryInterval: 0,
  };
  assert.deepEqual(roundTrip({ ...kept, messageExpiryInterval: 5 }), kept);
  assert.deepEqual(roundTrip({ messageExpiryInterval: 5 }), {});
  assert.deepEqual(roundTrip({ correlationData: Buffer.alloc(0) }), { correlationData: Buffer.alloc(0) });
});

test('user properties may have any name', () => {
  const names = ['__proto__', 'constructor', 'toJSON', 'toString', 'hasOwnProperty'];
  const userProperties = Object.create(null) as Record<string, string>;
  for (const name of names) userProperties[name] = name;
  const back = roundTrip({ userProperties })!.userProperties as Record<string, string>;
  assert.deepEqual(Object.keys(back), names);
  assert.deepEqual(Object.values(back), names);
  assert.equal(Object.getPrototypeOf({}), Object.prototype);
});

test('what is none of the kept properties is left out', () => {
  const packet = { topicAlias: 3, subscriptionIdentifier: [1], contentType: 'x' } as KeptProperties;
  assert.equal(json(packet), '{"contentType":"x"}');
});
