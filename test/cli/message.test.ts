import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IPublishPacket } from 'mqtt';
import { type FoundMessage, foundMessage, messageJson, messageLine } from '../../src/cli/message.js';
import { wallTimeBy } from '../../src/cli/wall-time.js';

function packet(
  topic: string,
  payload: string | Uint8Array,
  more: Partial<IPublishPacket> = {},
): IPublishPacket {
  return {
    cmd: 'publish',
    topic,
    payload: Buffer.from(payload as string),
    qos: 1,
    dup: false,
    retain: false,
    ...more,
  };
}

const WALL = wallTimeBy();
const lineOf = (message: FoundMessage) => messageLine(message, WALL);
const jsonOf = (message: FoundMessage) => messageJson(message, WALL);
const found = (topic: string, payload: string | Uint8Array) => foundMessage('r1', packet(topic, payload))!;

test('key and topic come from the topic, whatever it has in it', () => {
  const { key, topic, qos } = found('MQfile/r1/1732330000000001/a/b//c', 'x');
  assert.deepEqual({ key, topic, qos }, { key: 1732330000000001, topic: 'a/b//c', qos: 1 });
  assert.equal(found('MQfile/r1/5//', 'x').topic, '/');
  assert.equal(found('MQfile/r1/5/1/2', 'x').topic, '1/2');
});

test('a topic that was too long comes as a user property', () => {
  const userProperties = { 'mqtt-stream-topic': 'long/topic' };
  const message = foundMessage('r1', packet('MQfile/r1/7', 'x', { properties: { userProperties } }));
  assert.equal(message?.topic, 'long/topic');
  assert.equal(message?.key, 7);
});

test('messages of other requests are not of this one', () => {
  assert.equal(foundMessage('r1', packet('MQfile/r10/7/a', 'x')), null);
  assert.equal(foundMessage('r1', packet('$STREAM/result/r1', 'x')), null);
});

test('a line for people: text as it is, all else in hex', () => {
  assert.equal(
    lineOf(found('MQfile/r1/5/a', '{"speed": 13, "at": "Straße"}')),
    '5 1970-01-01T00:00:00.000005Z a {"speed": 13, "at": "Straße"}',
  );
  assert.equal(
    lineOf(found('MQfile/r1/5/a', Uint8Array.of(1, 0xff, 0))),
    '5 1970-01-01T00:00:00.000005Z a 0x01ff00',
  );
  assert.equal(lineOf(found('MQfile/r1/5/a', '')), '5 1970-01-01T00:00:00.000005Z a ');
  const long = lineOf(found('MQfile/r1/5/a', new Uint8Array(1000).fill(0xab)));
  assert.equal(long, `5 1970-01-01T00:00:00.000005Z a 0x${'ab'.repeat(64)}… (1000 bytes)`);
});

test('nothing in a line ends it or moves the cursor', () => {
  const hostile = 'x\r\n\x1b[2J\u202e\u2028\u009b1m';
  const line = lineOf(found(`MQfile/r1/5/${hostile}`, 'a\r\nb\u202e\u2028'));
  assert.doesNotMatch(line, /[^\x20-\x7e]/);
  assert.match(
    line,
    /^5 1970-01-01T00:00:00\.000005Z x\\u000d\\u000a\\u001b\[2J\\u202e\\u2028\\u009b1m a\\u000d\\u000ab\\u202e\\u2028$/,
  );
  assert.equal(lineOf(found('MQfile/r1/5/a', '\x1b[2J')), '5 1970-01-01T00:00:00.000005Z a 0x1b5b324a');
});

test('JSON holds the whole payload: text, or base64', () => {
  const payloadOf = (payload: string | Uint8Array) => {
    const json = JSON.parse(jsonOf(found('MQfile/r1/5/a', payload))) as {
      encoding: string;
      payload: string;
    };
    return [json.encoding, json.payload];
  };
  assert.deepEqual(payloadOf('a\n\tü\ufeff'), ['text', 'a\n\tü\ufeff']);
  assert.deepEqual(payloadOf('\ufeffa'), ['text', '\ufeffa']);
  assert.deepEqual(payloadOf(''), ['text', '']);
  assert.deepEqual(payloadOf('a\0'), ['base64', 'YQA=']);
  assert.deepEqual(payloadOf(Uint8Array.of(0xff, 0xfe)), ['base64', '//4=']);
  const big = new Uint8Array(100_000).map((_, i) => i * 31);
  assert.deepEqual(Buffer.from(payloadOf(big)[1], 'base64'), Buffer.from(big));
});
