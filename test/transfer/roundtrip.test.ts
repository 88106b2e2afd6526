import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { TransferClient } from '../../src/transfer/client.js';
import { type ReceivedFile, Receiver } from '../../src/transfer/receiver.js';
import {
  bytesOf,
  deferred,
  requestOf,
  sha256Of,
  startBroker,
  storeFile,
  type TestBroker,
  TestLog,
  tempFolder,
} from './fixture.js';

const reconnectMs = { min: 5, max: 20 };

interface Ends {
  readonly client: TransferClient;
  readonly receiver: Receiver;
  readonly root: string;
  readonly dir: string;
  readonly errors: Error[];
  /** Resolves with the files when there are so many. */
  received(count: number): Promise<ReceivedFile[]>;
}

async function ends(t: TestContext, url: string): Promise<Ends> {
  const dir = await tempFolder(t);
  const root = await tempFolder(t);
  const files: ReceivedFile[] = [];
  const errors: Error[] = [];
  const waiting: { count: number; resolve: (files: ReceivedFile[]) => void }[] = [];
  const receiver = await Receiver.start({
    url,
    dir,
    log: new TestLog(),
    onError: (error) => errors.push(error),
    onFile: (file) => {
      files.push(file);
      for (const { count, resolve } of waiting) if (files.length === count) resolve(files);
    },
    reconnectMs,
  });
  t.after(() => receiver.close());
  const client = await TransferClient.start({ url, log: new TestLog(), reconnectMs });
  t.after(() => client.close());
  return {
    client,
    receiver,
    root,
    dir,
    errors,
    received: (count) =>
      files.length >= count
        ? Promise.resolve(files)
        : new Promise((resolve) => waiting.push({ count, resolve })),
  };
}

test('files of every size arrive as they are, by two requests at a time', async (t) => {
  const broker = await startBroker(t);
  const { client, receiver, root, dir, received, errors } = await ends(t, broker.url);
  const chunkBytes = 16 * 1024;
  const sizes = [0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 3 * 1024 * 1024];
  const contents = sizes.map((size, i) => bytesOf(size, i));
  const files = await Promise.all(contents.map((content, i) => storeFile(root, i, content)));
  const requests = ['r1', 'r2'].map((id) =>
    requestOf(
      root,
      files.map((file) => (id === 'r2' ? { ...file, sha256: null } : file)),
      { id, chunkBytes },
    ),
  );
  await Promise.all(requests.map((request) => broker.request(request)));
  const kept = await received(2 * files.length);
  await client.idle();

  for (const id of ['r1', 'r2']) {
    const got = kept.filter((file) => file.id === id);
    assert.deepEqual(
      got,
      files.map(({ name, bytes, sha256, rows }) => ({
        id,
        name,
        path: join(dir, id, name),
        bytes,
        sha256,
        rows,
      })),
    );
    for (const [i, file] of got.entries()) {
      assert.ok(contents[i]!.equals(await readFile(file.path)), file.name);
    }
  }
  const bytes = 2 * sizes.reduce((sum, size) => sum + size);
  assert.deepEqual(client.sent, { files: 2 * files.length, bytes, failed: 0 });
  assert.deepEqual(receiver.received, { files: 2 * files.length, bytes, failed: 0 });
  assert.deepEqual(errors, []);
});

test('over WebSockets', async (t) => {
  const broker = await startBroker(t);
  const http = createServer();
  const sockets = new WebSocketServer({ server: http, path: '/mqtt' });
  sockets.on('connection', (socket) => broker.aedes.handle(createWebSocketStream(socket)));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  t.after(() => http.close());
  const { port } = http.address() as AddressInfo;
  const { root, received } = await ends(t, `ws://127.0.0.1:${port}/mqtt`);
  const content = bytesOf(300_000);
  await broker.request(requestOf(root, [await storeFile(root, 1, content)]));
  const [file] = await received(1);
  assert.equal(sha256Of(await readFile(file!.path)), sha256Of(content));
});

test('a file whose broker restarts in the middle is sent again and arrives', async (t) => {
  const middle = deferred();
  let reached = false;
  const first = await startBroker(t, {
    authorizePublish: (_client, packet, done) => {
      reached ||= packet.topic.endsWith(`/${20 * 1024}`);
      // Never answered: the connection ends with this chunk under way, and those behind it.
      if (reached) middle.resolve();
      else done(null);
    },
  });
  const { port } = first;
  const { client, receiver, root, received, errors } = await ends(t, first.url);
  const contents = [bytesOf(64 * 1024, 1), bytesOf(10, 2)];
  const files = await Promise.all(contents.map((content, i) => storeFile(root, i, content)));
  await first.request(requestOf(root, files, { chunkBytes: 1024 }));
  await middle.promise;
  await first.stop();

  // The receiver is back before the client may go on: a start that nobody hears would be lost to it.
  const listening = deferred();
  const begun: string[] = [];
  const second: TestBroker = await startBroker(
    t,
    {
      authorizePublish: (_client, packet, done) => {
        if (packet.topic.endsWith('/init')) begun.push(packet.topic);
        void listening.promise.then(() => done(null));
      },
    },
    port,
  );
  second.aedes.on('subscribe', (subscriptions) => {
    if (subscriptions.some(({ topic }) => topic === 'ParquetFile/#')) listening.resolve();
  });
  const kept = await received(2);
  await client.idle();

  for (const [i, file] of kept.entries()) assert.ok(contents[i]!.equals(await readFile(file.path)));
  assert.equal(begun.length, 2);
  assert.deepEqual(errors, []);
  const bytes = contents[0]!.length + contents[1]!.length;
  assert.deepEqual(client.sent, { files: 2, bytes, failed: 0 });
  assert.deepEqual(receiver.received, { files: 2, bytes, failed: 0 });

  // And requests are heard again.
  await second.request(requestOf(root, files, { id: 'r2' }));
  assert.equal((await received(4)).length, 4);
});

test('a file that fails half way is told to the receiver', async (t) => {
  const broker = await startBroker(t);
  const { client, receiver, root, received, errors } = await ends(t, broker.url);
  const wrong = await storeFile(root, 1, bytesOf(1000));
  const fine = await storeFile(root, 2, bytesOf(1000));
  const files = [{ ...wrong, sha256: sha256Of(bytesOf(1)) }, fine];
  await broker.request(requestOf(root, files, { chunkBytes: 100 }));
  const kept = await received(1);
  await client.idle();
  assert.deepEqual(
    kept.map((file) => file.name),
    [fine.name],
  );
  assert.match(errors[0]!.message, /sender gave up, TRANSFER_READ_FAILED/);
  assert.deepEqual(client.sent, { files: 1, bytes: 1000, failed: 1 });
  assert.deepEqual(receiver.received, { files: 1, bytes: 1000, failed: 1 });
});
