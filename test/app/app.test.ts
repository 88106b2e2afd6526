import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createApp } from '../../src/index.js';
import {
  configOf,
  connected,
  MemoryLog,
  numbered,
  publishMany,
  received,
  replayed,
  started,
  streamInput,
  temporaryFolder,
} from './app-fixture.js';

test('started and stopped several times, nothing is left that keeps the process alive', async (t) => {
  const script = fileURLToPath(new URL('./app-life.js', import.meta.url));
  const child = spawn(process.execPath, [script, await temporaryFolder(t)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  const [code] = await once(child, 'exit');
  assert.equal(code, 0);
  assert.match(output, /^3 rounds, left: (\[\]|\["(TTYWrap|PipeWrap)".*\])\n$/);
});

test('a port that is taken: nothing runs, the folder is free, and it was no crash', async (t) => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const dataDir = await temporaryFolder(t);
  const listeners = [{ protocol: 'tcp', port: 0 } as const, { protocol: 'tcp', port } as const];
  const { log } = new MemoryLog();
  await assert.rejects(createApp(configOf(dataDir, { listeners }), { log }), {
    code: 'PORT_IN_USE',
    message: new RegExp(`port ${port} on 127.0.0.1`),
  });
  assert.ok(!(await readdir(dataDir)).includes('lock.json'));
  const { app } = await started(t, configOf(dataDir));
  assert.deepEqual((await replayed(app)).gaps, []);
});

test('a second broker on the folder is refused and told who has it', async (t) => {
  const dataDir = await temporaryFolder(t);
  await started(t, configOf(dataDir));
  const { log } = new MemoryLog();
  await assert.rejects(createApp(configOf(dataDir), { log }), {
    code: 'DATA_DIR_IN_USE',
    message: new RegExp(`in use by process ${process.pid} `),
  });
});

test('a configuration that is wrong starts nothing', async (t) => {
  const dataDir = await temporaryFolder(t);
  await assert.rejects(createApp({ ...configOf(dataDir), nonsense: 1 } as never), { code: 'CONFIG_INVALID' });
  assert.deepEqual(await readdir(dataDir), []);
});

test('streams added and removed while clients publish', async (t) => {
  const { app, url } = await started(t, configOf(await temporaryFolder(t), { streams: [] }));
  const client = await connected(t, url);
  const publish = (payload: string) => client.publishAsync('vehicle/n', payload, { qos: 1 });
  await publish('before');
  app.addStream(streamInput());
  await publish('1');
  await publish('2');
  assert.throws(() => app.addStream(streamInput()), { code: 'STREAM_EXISTS' });
  assert.throws(() => app.addStream({ name: 'A', topics: [] }), { code: 'CONFIG_INVALID' });
  await app.removeStream('vehicle');
  await assert.rejects(app.removeStream('vehicle'), { code: 'STREAM_NOT_FOUND' });
  await publish('between');
  assert.equal(app.catalog.files('vehicle').length, 1);
  app.addStream(streamInput());
  await publish('3');
  assert.deepEqual((await replayed(app)).payloads, ['1', '2', '3']);
  const flushed = await app.request('flush', { id: 'f', stream: 'vehicle' });
  assert.equal(flushed.ok, true);
  assert.equal(new Set(app.catalog.files('vehicle').map(({ name }) => name)).size, 2);
  assert.deepEqual(await replayed(app).then(({ payloads, gaps }) => [payloads, gaps]), [['1', '2', '3'], []]);
});

test('publishing from inside: captured, routed, and refused where a client would be', async (t) => {
  const { app, url } = await started(t, configOf(await temporaryFolder(t)));
  const client = await connected(t, url);
  await client.subscribeAsync('vehicle/#', { qos: 1 });
  const [packet] = await Promise.all([
    received(client, 'vehicle/', 1).then(([first]) => first!),
    app.publish({ topic: 'vehicle/n', payload: 'text', qos: 1 }),
  ]);
  assert.deepEqual([packet.payload.toString(), packet.qos], ['text', 1]);
  await app.publish({ topic: 'vehicle/n', payload: new Uint8Array([0, 255]), retain: true });
  assert.equal((await replayed(app)).keys.length, 2);
  for (const topic of ['', 'a/#', '+', 'a\0']) {
    await assert.rejects(app.publish({ topic, payload: '' }), { code: 'REQUEST_INVALID' });
  }
  for (const topic of ['MQfile/x/1/a', 'ParquetFile/x', '$SYS/x', '$STREAM/search']) {
    await assert.rejects(app.publish({ topic, payload: '' }), { code: 'TOPIC_RESERVED' });
  }
  await app.close();
  await assert.rejects(app.publish({ topic: 'vehicle/n', payload: '' }), { code: 'SHUTTING_DOWN' });
  assert.throws(() => app.addStream(streamInput({ name: 'late' })), { code: 'SHUTTING_DOWN' });
  assert.equal(app.streams.exchange.find('late'), undefined);
  assert.equal((await app.request('files', { id: 'f', stream: 'vehicle' })).error?.code, 'SHUTTING_DOWN');
});

test('over restarts keys go on rising, files are found again, and nothing of before is lost', async (t) => {
  const dataDir = await temporaryFolder(t);
  const payloads: string[] = [];
  let last = 0;
  for (let run = 0; run < 3; run++) {
    const { app } = await started(t, configOf(dataDir));
    assert.equal(app.catalog.files('vehicle').length, run);
    assert.deepEqual((await replayed(app)).payloads, payloads);
    payloads.push(...(await publishMany(app, `${run}-`, 20)));
    const all = await replayed(app);
    assert.deepEqual(all.payloads, payloads);
    assert.deepEqual(all.gaps, []);
    assert.deepEqual(
      all.keys,
      [...new Set(all.keys)].sort((a, b) => a - b),
    );
    assert.ok(all.keys.at(-20)! > last);
    last = all.keys.at(-1)!;
    assert.deepEqual(await app.close(), []);
    assert.deepEqual(await app.close(), []);
  }
});

test('a stop lets connections go that never said anything', async (t) => {
  const { app } = await started(t, configOf(await temporaryFolder(t)));
  const socket = connect(app.listeners[0]!.port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  const closed = once(socket, 'close');
  await app.close();
  await closed;
});

test('a stop does not wait for a replay whose subscriber has stopped reading', async (t) => {
  const { app, url } = await started(t, configOf(await temporaryFolder(t)));
  const payload = Buffer.alloc(200_000);
  for (let i = 0; i < 100; i++) await app.publish({ topic: 'vehicle/n', payload });
  const client = await connected(t, url);
  await client.subscribeAsync('MQfile/#');
  client.stream.pause();
  client.publish('$STREAM/replay', '{"id": "r", "stream": "vehicle"}');
  await new Promise<void>((resolve) => {
    const look = () => (app.broker.queued.bytes > 256 * 1024 ? resolve() : setImmediate(look));
    look();
  });
  assert.equal(app.requests.running, 1);
  // If it did, this would be the time it takes: two weeks.
  assert.deepEqual(await app.close(2 ** 30), []);
});

test('whenFull: return hands batches to the embedder, and the rest at the stop', async (t) => {
  const taken: string[] = [];
  const { app, log } = await started(
    t,
    configOf(await temporaryFolder(t), {
      streams: [streamInput({ ring: { messages: 8, whenFull: 'return' } })],
    }),
    {
      onBatch: async (messages, stream) => {
        assert.equal(stream, 'vehicle');
        taken.push(...messages.map(({ payload }) => Buffer.from(payload).toString()));
      },
    },
  );
  const sent = numbered('', 60);
  await Promise.all(sent.map((payload) => app.publish({ topic: 'vehicle/n', payload })));
  assert.ok(taken.length >= 52, `${taken.length}`);
  assert.deepEqual(await app.close(), []);
  assert.deepEqual(taken, sent);
  assert.deepEqual(log.matching(/not taken/), []);
  assert.deepEqual(app.catalog.files('vehicle'), []);
});
