import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replayed, TOPIC_PROPERTY } from '../../src/query/outlet.js';
import type { Message } from '../../src/ring/record.js';

function message(topic: string, more: Partial<Message> = {}): Message {
  return {
    key: 1_732_330_000_000_000,
    topic,
    clientId: 'car',
    qos: 1,
    retain: true,
    properties: null,
    payload: new Uint8Array([1, 2]),
    ...more,
  };
}

test('the topic is MQfile, the id, the key and the original topic, whatever that is', () => {
  for (const topic of [
    'vehicle/can/1',
    '/',
    '//a//',
    'a',
    'é/日本/😀',
    '$dollar/x',
    ' ',
    'MQfile/r/1/x',
    '__proto__',
  ]) {
    assert.equal(replayed('r-1_A', message(topic)).topic, `MQfile/r-1_A/1732330000000000/${topic}`);
  }
});

test('payload and QoS are the original ones; the payload is not copied', () => {
  const payload = new Uint8Array([9, 8, 7, 6]).subarray(1, 3);
  const outgoing = replayed('r', message('t', { payload, qos: 2 }));
  assert.deepEqual(outgoing.payload, Buffer.from([8, 7]));
  assert.equal(outgoing.payload.buffer, payload.buffer);
  assert.equal(outgoing.qos, 2);
  assert.deepEqual(Object.keys(outgoing).sort(), ['payload', 'properties', 'qos', 'topic']);
});

test('a topic that just fits, and one byte more', () => {
  const id = 'i'.repeat(64);
  const prefix = `MQfile/${id}/1732330000000000/`;
  const longest = 'x'.repeat(65_535 - prefix.length);
  const whole = replayed(id, message(longest));
  assert.equal(Buffer.byteLength(whole.topic), 65_535);
  assert.equal(whole.properties, undefined);
  const long = replayed(id, message(`${longest}y`));
  assert.equal(long.topic, `MQfile/${id}/1732330000000000`);
  assert.deepEqual(long.properties, { userProperties: { [TOPIC_PROPERTY]: `${longest}y` } });
});

test('what counts is bytes, not characters', () => {
  const topic = '日'.repeat(21_845);
  assert.equal(Buffer.byteLength(topic), 65_535);
  const outgoing = replayed('r', message(topic));
  assert.equal(outgoing.topic, 'MQfile/r/1732330000000000');
  assert.deepEqual(outgoing.properties, { userProperties: { [TOPIC_PROPERTY]: topic } });
});

test('the topic stands beside the properties that the message has itself', () => {
  const topic = 'x'.repeat(65_535);
  const properties = JSON.stringify({
    contentType: 'a',
    userProperties: { own: ['1', '2'], [TOPIC_PROPERTY]: 'pretended' },
  });
  assert.deepEqual(replayed('r', message(topic, { properties })).properties, {
    contentType: 'a',
    userProperties: { own: ['1', '2'], [TOPIC_PROPERTY]: topic },
  });
});
