import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRequestTopic, OPEN_ACCESS } from '../../../src/broker/access/access.js';

const ANYBODY = { clientId: 'c', user: null, address: '127.0.0.1', local: true, inside: false };
const TRANSFER = { ...ANYBODY, user: 'mqtt-stream-transfer' };

test('without authentication the transfer client is who says so on this machine', () => {
  assert.ok(OPEN_ACCESS.isTransferClient(TRANSFER));
  assert.ok(!OPEN_ACCESS.isTransferClient({ ...TRANSFER, local: false }));
  assert.ok(!OPEN_ACCESS.isTransferClient({ ...TRANSFER, user: 'else' }));
  assert.ok(!OPEN_ACCESS.isTransferClient(ANYBODY));
});

test('without rules everybody may do everything but speak for the broker', async () => {
  for (const topic of ['a', 'ParquetFiles', 'MQfile2/x', '$other/x', 'x/$SYS/y', '$STREAM/search']) {
    assert.ok(OPEN_ACCESS.mayPublish(ANYBODY, topic), topic);
  }
  for (const topic of ['$SYS/x', '$STREAM/result/x', 'MQfile/x', 'ParquetFile/x']) {
    assert.ok(!OPEN_ACCESS.mayPublish(ANYBODY, topic), topic);
    assert.equal(OPEN_ACCESS.mayPublish(TRANSFER, topic), topic === 'ParquetFile/x');
  }
  assert.ok(OPEN_ACCESS.maySubscribe(ANYBODY, '$SYS/#'));
  assert.ok(OPEN_ACCESS.mayReceive(ANYBODY, '$SYS/x'));
  assert.ok(OPEN_ACCESS.mayReadHistory(ANYBODY, '#'));
  const verdict = await OPEN_ACCESS.authenticate({
    ...ANYBODY,
    user: 'u',
    password: null,
    certificate: null,
  });
  assert.deepEqual(verdict, { allowed: true, user: 'u' });
});

test('requests are what is published on $STREAM, except results', () => {
  assert.ok(isRequestTopic('$STREAM/search'));
  assert.ok(isRequestTopic('$STREAM/whatever'));
  assert.ok(!isRequestTopic('$STREAM/result/x'));
  assert.ok(!isRequestTopic('$STREAM'));
  assert.ok(!isRequestTopic('a'));
});
