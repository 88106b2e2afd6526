import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLocalAddress, isRequestTopic, isTransferClient, mayPublish } from '../../src/broker/access.js';

const TRANSFER = { user: 'mqtt-stream-transfer', local: true, inside: false };
const ANYBODY = { user: null, local: true, inside: false };

test('the transfer client is who says so on this machine, and whom the application connects itself', () => {
  assert.ok(isTransferClient(TRANSFER));
  assert.ok(!isTransferClient({ ...TRANSFER, local: false }));
  assert.ok(!isTransferClient({ ...TRANSFER, user: 'else' }));
  assert.ok(!isTransferClient(ANYBODY));
  assert.ok(isTransferClient({ user: null, local: false, inside: true }));
});

test('addresses of this machine', () => {
  for (const address of ['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1']) {
    assert.ok(isLocalAddress(address), address);
  }
  for (const address of [
    '10.0.0.1',
    '::ffff:10.0.0.1',
    '1127.0.0.1',
    'fe80::1',
    '12.127.0.1',
    '',
    undefined,
  ]) {
    assert.ok(!isLocalAddress(address), address);
  }
});

test('who may publish where', () => {
  for (const topic of ['a', 'ParquetFiles', 'MQfile2/x', '$other/x', 'x/$SYS/y']) {
    assert.ok(mayPublish(ANYBODY, topic), topic);
  }
  for (const topic of ['$SYS/x', '$STREAM/result/x', 'MQfile/x', 'ParquetFile/x']) {
    assert.ok(!mayPublish(ANYBODY, topic), topic);
    assert.equal(mayPublish(TRANSFER, topic), topic === 'ParquetFile/x');
  }
});

test('requests are what is published on $STREAM, except results', () => {
  assert.ok(isRequestTopic('$STREAM/search'));
  assert.ok(isRequestTopic('$STREAM/whatever'));
  assert.ok(!isRequestTopic('$STREAM/result/x'));
  assert.ok(!isRequestTopic('$STREAM'));
  assert.ok(!isRequestTopic('a'));
});
