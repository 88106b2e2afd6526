/** Fails when an upgrade of Node moves what `src/broker/reading/socket.ts` takes hold of. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { readingSocket } from '../../../src/broker/reading/socket.js';
import { generator } from '../../catalog/generator.js';

interface Pair {
  readonly server: Server;
  readonly client: Socket;
  readonly accepted: Socket;
  readonly socket: Socket;
}

async function pair(t: TestContext): Promise<Pair> {
  const server = createServer({ noDelay: true, pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const client = connect(port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [Socket];
  const socket = readingSocket(accepted);
  t.after(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });
  return { server, client, accepted, socket };
}

function connections(server: Server): Promise<number> {
  return new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );
}

test('what is read stays as it is, whatever its size and however long it is kept', async (t) => {
  const { client, socket } = await pair(t);
  const random = generator(1);
  const sent: Buffer[] = [];
  const kept: Buffer[] = [];
  let received = 0;
  socket.on('data', (chunk: Buffer) => {
    kept.push(chunk);
    received += chunk.length;
  });
  socket.resume();
  let total = 0;
  for (let i = 0; i < 400; i++) {
    const bytes = Buffer.alloc(1 + Math.floor(random() * [10, 3000, 10_000, 400_000][i % 4]), i);
    sent.push(bytes);
    total += bytes.length;
    // One after another, or several at once.
    await new Promise((resolve) => client.write(bytes, resolve));
    if (random() < 0.5) while (received < total) await once(socket, 'data');
  }
  while (received < total) await once(socket, 'data');
  assert.ok(Buffer.concat(kept).equals(Buffer.concat(sent)));
});

test('little that is read allocates little, much is not copied', async (t) => {
  const { client, accepted, socket } = await pair(t);
  assert.notEqual(socket, accepted);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.resume();
  for (let i = 0; i < 5; i++) {
    client.write('x'.repeat(100));
    await once(socket, 'data');
  }
  for (const { buffer } of chunks) assert.ok(buffer.byteLength <= Buffer.poolSize, `${buffer.byteLength}`);
  chunks.length = 0;
  const much = 4 * 1024 * 1024;
  client.write(Buffer.alloc(much));
  while (chunks.reduce((sum, { length }) => sum + length, 0) < much) await once(socket, 'data');
  // Each in memory of its own, after the first few.
  const whole = chunks.filter(({ buffer, length }) => buffer.byteLength === 65_536 && length > 16_384);
  assert.ok(whole.length > chunks.length / 2, `${whole.length} of ${chunks.length}`);
  assert.equal(new Set(whole.map(({ buffer }) => buffer)).size, whole.length);
});

test('a socket that is paused is not read, one that goes on is', async (t) => {
  const { client, socket } = await pair(t);
  let received = 0;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
    socket.pause();
  });
  socket.resume();
  client.write('first');
  await once(socket, 'data');
  client.write('second');
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(received, 5);
  assert.equal(socket.readableLength, 0, 'nor is anything set aside');
  socket.resume();
  await once(socket, 'data');
  assert.equal(received, 11);
});

test('it ends, has an address, and its server counts it, as others do', async (t) => {
  const { server, client, socket } = await pair(t);
  assert.equal(socket.remoteAddress, '127.0.0.1');
  assert.equal(await connections(server), 1);
  socket.resume();
  client.end();
  await once(socket, 'end');
  await once(socket, 'close');
  assert.equal(await connections(server), 0);
});

test('a socket whose handle cannot be taken stays as it is', () => {
  const accepted = {} as Socket;
  assert.equal(readingSocket(accepted), accepted);
});
