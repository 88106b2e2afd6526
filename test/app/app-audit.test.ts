/** What a whole broker writes down, and tells of itself. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createApp } from '../../src/app/app.js';
import { VERSION } from '../../src/version.js';
import {
  configOf,
  connected,
  MemoryLog,
  received,
  started,
  streamInput,
  temporaryFolder,
} from './app-fixture.js';

test('a life in the audit file: streams, clients, denials, history', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'audit.log');
  const { app, url, log } = await started(
    t,
    configOf(join(folder, 'data'), { log: { audit: { file } }, transfer: { embedded: false } }),
  );
  app.addStream(streamInput({ name: 'more', topics: ['more'] }));
  await app.removeStream('more');
  const client = await connected(t, url, { clientId: 'me', username: 'user' });
  await assert.rejects(client.publishAsync('MQfile/x', 'x', { qos: 1 }));
  await app.publish({ topic: 'vehicle/speed', payload: '87' });
  await client.subscribeAsync('$STREAM/result/#');
  const request = '{"id":"r1","stream":"vehicle"}';
  const answer = received(client, '$STREAM/result/r1', 1);
  await client.publishAsync('$STREAM/replay', request);
  await answer;
  const wrong = received(client, '$STREAM/result/r2', 1);
  await client.publishAsync('$STREAM/search', '{"id":"r2","stream":"none"}');
  await wrong;
  await client.endAsync();
  await app.close();
  const events = (await readFile(file, 'utf8')).trimEnd().split('\n');
  const who = { client: 'me', user: 'user', address: '127.0.0.1' };
  const asked = { audit: 'history', client: 'me', files: 0 };
  assert.deepEqual(
    events.map((line) => {
      const { level, time, msg, ...event } = JSON.parse(line);
      assert.deepEqual([level, typeof time, typeof msg], [30, 'string', 'string']);
      return event;
    }),
    [
      { audit: 'config', change: 'started' },
      { audit: 'config', change: 'stream added', stream: 'more' },
      { audit: 'config', change: 'stream removed', stream: 'more' },
      { audit: 'connected', ...who, version: 5, clean: true },
      { audit: 'publish-denied', ...who, topic: 'MQfile/x', code: 0x87 },
      { ...asked, op: 'replay', request, error: null, messages: 1 },
      {
        ...asked,
        op: 'search',
        request: '{"id":"r2","stream":"none"}',
        error: 'STREAM_NOT_FOUND',
        messages: 0,
      },
      { audit: 'disconnected', ...who, code: 0, reason: 'the client said goodbye' },
    ],
  );
  assert.deepEqual(
    log.lines.filter((line) => 'audit' in line),
    [],
  );
});

test('an audit file that cannot be written: nothing is started, nothing is held', async (t) => {
  const folder = await temporaryFolder(t);
  const config = configOf(join(folder, 'data'));
  const { log } = new MemoryLog();
  const bad = { ...config, log: { audit: { file: folder } } };
  await assert.rejects(createApp(bad, { log }), { code: 'AUDIT_UNUSABLE' });
  await started(t, config);
});

test('$SYS of a whole broker: its version, and who comes', async (t) => {
  const folder = await temporaryFolder(t);
  const { url } = await started(t, configOf(folder, { transfer: { embedded: false } }));
  const client = await connected(t, url);
  const version = received(client, '$SYS/broker/version', 1);
  const status = received(client, '$SYS/brokers/client_status/', 1);
  await client.subscribeAsync('$SYS/#');
  const [packet] = await version;
  assert.deepEqual([packet.payload.toString(), packet.retain], [`mqtt-stream version ${VERSION}`, true]);
  await connected(t, url, { clientId: 'other' });
  const [{ topic, payload }] = await status;
  assert.deepEqual(
    [topic, JSON.parse(payload.toString()).status],
    ['$SYS/brokers/client_status/other', 'online'],
  );
});
