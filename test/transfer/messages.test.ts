import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokerAddress } from '../../src/transfer/address.js';
import { initSchema, parseMessage, transferRequestSchema } from '../../src/transfer/messages.js';
import { fileTopic, parseFileTopic } from '../../src/transfer/topics.js';
import { bytesOf, describeFile, requestOf } from './fixture.js';

const request = requestOf('/data', [describeFile(1, bytesOf(10))]);

test('a request is read as it was written', () => {
  assert.deepEqual(parseMessage(transferRequestSchema, Buffer.from(JSON.stringify(request))), request);
});

test('what is not a request is refused, naming where', () => {
  const [file] = request.files;
  const cases: [unknown, RegExp][] = [
    [{ ...request, id: '../x' }, /id/],
    [{ ...request, id: 'x'.repeat(65) }, /id/],
    [{ ...request, stream: 'A' }, /stream/],
    [{ ...request, root: 'data' }, /root/],
    [{ ...request, chunkBytes: 0 }, /chunkBytes/],
    [{ ...request, chunkBytes: 2 ** 30 }, /chunkBytes/],
    [{ ...request, chunkBytes: 1.5 }, /chunkBytes/],
    [{ ...request, files: {} }, /files/],
    [{ ...request, more: 1 }, /more/],
    [{ ...request, files: [{ ...file, name: '../1~2_1.parquet' }] }, /files\.0\.name/],
    [{ ...request, files: [{ ...file, bytes: -1 }] }, /files\.0\.bytes/],
    [{ ...request, files: [{ ...file, bytes: 2 ** 53 }] }, /files\.0\.bytes/],
    [{ ...request, files: [{ ...file, sha256: 'F'.repeat(64) }] }, /files\.0\.sha256/],
    [{ ...request, files: [{ ...file, path: '' }] }, /files\.0\.path/],
    [[], /the message/],
    [null, /the message/],
  ];
  for (const [value, message] of cases) {
    assert.throws(() => parseMessage(transferRequestSchema, Buffer.from(JSON.stringify(value))), {
      code: 'TRANSFER_BAD_REQUEST',
      message,
    });
  }
  for (const text of ['', '{', '\xff']) {
    assert.throws(() => parseMessage(initSchema, Buffer.from(text)), { code: 'TRANSFER_BAD_REQUEST' });
  }
});

test('topics of files', () => {
  for (const step of ['init', 'fin', 'abort', 0, 262144, 999_999_999_999_999] as const) {
    const topic = fileTopic('r-1_A', '1~2_3.parquet', step);
    assert.deepEqual(parseFileTopic(topic), { id: 'r-1_A', name: '1~2_3.parquet', step });
  }
  assert.deepEqual(parseFileTopic('ParquetFile/__proto__/1~2_3.parquet/0')?.id, '__proto__');
});

test('anything else is no topic of a file', () => {
  const hostile = [
    '',
    'ParquetFile',
    'ParquetFile/r1/1~2_3.parquet',
    'ParquetFile/r1/1~2_3.parquet/',
    'ParquetFile/r1/1~2_3.parquet/0/0',
    'ParquetFile//1~2_3.parquet/0',
    'ParquetFile/../1~2_3.parquet/0',
    'ParquetFile/r.1/1~2_3.parquet/0',
    `ParquetFile/${'r'.repeat(65)}/1~2_3.parquet/0`,
    'ParquetFile/r1/../0',
    'ParquetFile/r1/.parquet/0',
    'ParquetFile/r1/1~2_3.parquet.part/0',
    'ParquetFile/r1/1~2_3.parquet\n/0',
    'ParquetFile/r1/1~2_3.parquet\0/0',
    `ParquetFile/r1/1~2_${'3'.repeat(210)}.parquet/0`,
    'ParquetFile/r1/1~2_3.parquet/00',
    'ParquetFile/r1/1~2_3.parquet/-1',
    'ParquetFile/r1/1~2_3.parquet/+1',
    'ParquetFile/r1/1~2_3.parquet/1e3',
    'ParquetFile/r1/1~2_3.parquet/1.5',
    'ParquetFile/r1/1~2_3.parquet/9999999999999999',
    'ParquetFile/r1/1~2_3.parquet/NaN',
    'parquetfile/r1/1~2_3.parquet/0',
  ];
  for (const topic of hostile) assert.equal(parseFileTopic(topic), null, topic);
});

test('addresses of brokers', () => {
  assert.deepEqual(brokerAddress('mqtt://h'), { protocol: 'mqtt', host: 'h', port: 1883 });
  assert.deepEqual(brokerAddress('mqtt://u:p%40@[::1]:1'), {
    protocol: 'mqtt',
    host: '::1',
    port: 1,
    username: 'u',
    password: 'p@',
  });
  assert.deepEqual(brokerAddress('ws://h:8083/mqtt?a=b'), {
    protocol: 'ws',
    host: 'h',
    port: 8083,
    path: '/mqtt?a=b',
  });
  for (const url of ['', 'h:1883', 'http://h', 'mqtt://', 'constructor://h']) {
    assert.throws(() => brokerAddress(url), { code: 'BROKER_UNREACHABLE' }, url);
  }
  assert.throws(
    () => brokerAddress('http://u:secret@h'),
    (error: Error) => !error.message.includes('secret'),
  );
});
