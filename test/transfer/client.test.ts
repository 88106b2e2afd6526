import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { AedesOptions } from 'aedes';
import { TRANSFER_USER } from '../../src/topics.js';
import { TransferClient, type TransferClientOptions } from '../../src/transfer/client.js';
import { WINDOW } from '../../src/transfer/sending.js';
import { type OpenFile, openForReading } from '../../src/transfer/source.js';
import { parseFileTopic, TRANSFER_TOPIC } from '../../src/transfer/topics.js';
import {
  bytesOf,
  deferred,
  requestOf,
  startBroker,
  storeFile,
  type TestBroker,
  TestLog,
  tempFolder,
} from './fixture.js';

type Hold = NonNullable<AedesOptions['authorizePublish']>;

interface Rig {
  readonly broker: TestBroker;
  readonly client: TransferClient;
  readonly log: TestLog;
  readonly root: string;
  /** `<id>/<seq>/<step>` of what the broker was sent. */
  readonly published: string[];
  readonly aborts: { code: string; message: string }[];
}

async function rig(t: TestContext, options: Partial<TransferClientOptions> = {}, hold?: Hold): Promise<Rig> {
  const published: string[] = [];
  const aborts: Rig['aborts'] = [];
  const broker = await startBroker(t, {
    authorizePublish: (client, packet, done) => {
      const target = parseFileTopic(packet.topic);
      if (target) {
        published.push(`${target.id}/${/_(\d+)/.exec(target.name)![1]}/${target.step}`);
        if (target.step === 'abort') aborts.push(JSON.parse(packet.payload.toString()));
      }
      if (hold) hold(client, packet, done);
      else done(null);
    },
  });
  const log = new TestLog();
  const client = await TransferClient.start({ url: broker.url, log, ...options });
  t.after(() => client.close());
  return { broker, client, log, root: await tempFolder(t), published, aborts };
}

test('connects under the name the broker knows it by', async (t) => {
  const seen: (string | undefined)[] = [];
  const broker = await startBroker(t, {
    authenticate: (client, username, password, done) => {
      seen.push(client.id, username, password?.toString());
      done(null, true);
    },
  });
  const client = await TransferClient.start({
    url: broker.url.replace('//', '//somebody:secret@'),
    log: new TestLog(),
    random: () => 'abc',
  });
  await client.close();
  assert.deepEqual(seen, [`${TRANSFER_USER}-abc`, TRANSFER_USER, 'secret']);
});

test('start fails where there is no broker, or one that refuses', async (t) => {
  const broker = await startBroker(t);
  const { url } = broker;
  await broker.stop();
  await assert.rejects(TransferClient.start({ url, log: new TestLog() }), {
    code: 'BROKER_UNREACHABLE',
    message: /ECONNREFUSED/,
  });
  const strangers = await startBroker(t, {
    authenticate: (_client, _user, _password, done) => done(null, false),
  });
  await assert.rejects(TransferClient.start({ url: strangers.url, log: new TestLog() }), {
    code: 'BROKER_UNREACHABLE',
  });
  const deaf = await startBroker(t, {
    authorizeSubscribe: (_client, _subscription, done) => done(null, null),
  });
  await assert.rejects(TransferClient.start({ url: deaf.url, log: new TestLog() }), {
    code: 'BROKER_UNREACHABLE',
    message: /Subscribe/,
  });
});

test('requests and their files are served in order, a file once while it is asked for', async (t) => {
  const { broker, client, root, published, log } = await rig(t);
  const files = [await storeFile(root, 1, bytesOf(100)), await storeFile(root, 2, bytesOf(0))];
  await Promise.all([
    broker.request(requestOf(root, files)),
    broker.request(requestOf(root, files, { id: 'r2' })),
    broker.request(requestOf(root, files)),
  ]);
  await log.line(/asked for again/);
  await client.idle();
  const once = (id: string) => [`${id}/1/init`, `${id}/1/0`, `${id}/1/fin`, `${id}/2/init`, `${id}/2/fin`];
  assert.deepEqual(published, [...once('r1'), ...once('r2')]);
  assert.equal(log.count(/asked for again/), 2);
  assert.deepEqual(client.sent, { files: 4, bytes: 200, failed: 0 });
});

test('a malformed request is logged, and the next one served', async (t) => {
  const { broker, client, root, log } = await rig(t);
  const good = requestOf(root, [await storeFile(root, 1, bytesOf(10))]);
  for (const payload of ['', '{', '[]', JSON.stringify({ ...good, id: '../..' })]) {
    await broker.publish(TRANSFER_TOPIC, payload);
  }
  await broker.request(good);
  await log.line(/file sent/);
  await client.idle();
  const refused = log.lines.filter((line) => line.level === 'error');
  assert.deepEqual(
    refused.map((line) => line.fields),
    Array(4).fill({ code: 'TRANSFER_BAD_REQUEST' }),
  );
  assert.deepEqual(client.sent, { files: 1, bytes: 10, failed: 0 });
});

test('a file that cannot be sent is told, and the next one sent', async (t) => {
  const { broker, client, root, published, aborts, log } = await rig(t);
  const file = await storeFile(root, 1, bytesOf(10));
  const gone = await storeFile(root, 2, bytesOf(10));
  await rm(join(root, gone.path));
  const wrong = await storeFile(root, 3, bytesOf(10));
  const fine = await storeFile(root, 4, bytesOf(10));
  await broker.request(
    requestOf(root, [
      { ...file, path: '../outside.parquet' },
      gone,
      { ...wrong, sha256: '0'.repeat(64) },
      { ...fine, sha256: null },
    ]),
  );
  await log.line(/file sent/);
  await client.idle();
  assert.deepEqual(published, [
    'r1/1/abort',
    'r1/2/abort',
    'r1/3/init',
    'r1/3/0',
    'r1/3/abort',
    'r1/4/init',
    'r1/4/0',
    'r1/4/fin',
  ]);
  assert.deepEqual(
    aborts.map(({ code }) => code),
    ['TRANSFER_OUTSIDE', 'TRANSFER_READ_FAILED', 'TRANSFER_READ_FAILED'],
  );
  assert.ok(aborts.every(({ message }) => !message.includes(root)));
  assert.deepEqual(client.sent, { files: 1, bytes: 10, failed: 3 });
});

test('a publish that the broker refuses ends the file', async (t) => {
  const { broker, client, root, published, aborts, log } = await rig(t, {}, (_client, packet, done) => {
    done(packet.topic.endsWith('/64') ? new Error('no') : null);
  });
  await broker.request(requestOf(root, [await storeFile(root, 1, bytesOf(128))], { chunkBytes: 64 }));
  await log.line(/Not authorized/);
  await client.idle();
  assert.deepEqual(published, ['r1/1/init', 'r1/1/0', 'r1/1/64', 'r1/1/abort']);
  assert.equal(aborts[0]!.code, 'TRANSFER_INCOMPLETE');
  assert.deepEqual(client.sent, { files: 0, bytes: 0, failed: 1 });
});

test('dataDir is where files are looked for, whatever the request says', async (t) => {
  const elsewhere = await tempFolder(t);
  const { broker, client, root, log } = await rig(t, { dataDir: elsewhere });
  await broker.request(requestOf(root, [await storeFile(elsewhere, 1, bytesOf(10))]));
  await log.line(/file sent/);
  await client.idle();
  assert.deepEqual(client.sent, { files: 1, bytes: 10, failed: 0 });
});

/** Reads of chunks counted, under `dataDir` of the rig. */
function counting(onRead: () => void): OpenFile {
  return async (path) => {
    const handle = await openForReading(path);
    return {
      stat: () => handle.stat(),
      close: () => handle.close(),
      read: (buffer, offset, length, position) => {
        onRead();
        return handle.read(buffer, offset, length, position);
      },
    };
  };
}

test('over a connection, too, at most WINDOW chunks are ahead of their acknowledgement', async (t) => {
  const chunks = 12;
  let read = 0;
  let released = 0;
  const held: (() => void)[] = [];
  // As late as can be: a smaller window would never end.
  const acknowledge = (): void => {
    while (held.length > 0 && read === Math.min(released + WINDOW, chunks)) {
      released++;
      held.shift()!();
    }
  };
  const open = counting(() => {
    read++;
    assert.ok(read - released <= WINDOW, `${read} read, ${released} acknowledged`);
    setImmediate(acknowledge);
  });
  const { broker, client, root, log } = await rig(t, { open }, (_client, packet, done) => {
    if (typeof parseFileTopic(packet.topic)?.step !== 'number') return done(null);
    held.push(() => done(null));
    acknowledge();
  });
  await broker.request(
    requestOf(root, [await storeFile(root, 1, bytesOf(chunks * 100))], { chunkBytes: 100 }),
  );
  await log.line(/file (sent|.*ended)/);
  await client.idle();
  assert.equal(read, chunks);
  assert.deepEqual(client.sent, { files: 1, bytes: chunks * 100, failed: 0 });
});

test('close tells about the file at work and those behind it', async (t) => {
  const middle = deferred();
  const { broker, client, root, published, aborts } = await rig(t, {}, (_client, packet, done) => {
    if (packet.topic.endsWith('/0')) {
      middle.resolve();
      setImmediate(() => done(null));
    } else done(null);
  });
  const files = [await storeFile(root, 1, bytesOf(128)), await storeFile(root, 2, bytesOf(128))];
  await broker.request(requestOf(root, files, { chunkBytes: 8 }));
  await middle.promise;
  await client.close();
  assert.ok(published.includes('r1/1/abort'));
  assert.ok(!published.includes('r1/1/fin'));
  assert.equal(published.at(-1), 'r1/2/abort');
  assert.deepEqual(
    aborts.map(({ code }) => code),
    ['SHUTTING_DOWN', 'SHUTTING_DOWN'],
  );
  assert.deepEqual(client.sent, { files: 0, bytes: 0, failed: 2 });
  await client.close();
});

test('close does not wait for ever for a broker that acknowledges nothing', async (t) => {
  const middle = deferred();
  const { broker, client, root, log } = await rig(t, { closeMs: 10 }, (_client, packet, done) => {
    if (packet.topic.startsWith('ParquetFile/')) middle.resolve();
    else done(null);
  });
  await broker.request(requestOf(root, [await storeFile(root, 1, bytesOf(10))]));
  await middle.promise;
  await client.close();
  assert.equal(log.count(/could not be told/), 1);
  assert.deepEqual(client.sent, { files: 0, bytes: 0, failed: 1 });
});

test('close while the broker is gone gives up what waits for it', async (t) => {
  const middle = deferred();
  const { broker, client, root, log } = await rig(t, { closeMs: 60_000 }, (_client, packet, done) => {
    if (packet.topic.endsWith('/0')) middle.resolve();
    else done(null);
  });
  const files = [await storeFile(root, 1, bytesOf(10)), await storeFile(root, 2, bytesOf(10))];
  await broker.request(requestOf(root, files));
  await middle.promise;
  await broker.stop();
  await log.line(/connection was lost/);
  await client.close();
  assert.equal(log.count(/could not be told/), 2);
  assert.deepEqual(client.sent, { files: 0, bytes: 0, failed: 2 });
});

test('a file that ends every connection is given up', async (t) => {
  const { broker, client, root, log, published } = await rig(
    t,
    { reconnectMs: { min: 1, max: 2 } },
    (client, packet, done) => {
      if (packet.topic.endsWith('/0')) client!.close();
      else done(null);
    },
  );
  await broker.request(requestOf(root, [await storeFile(root, 1, bytesOf(10))]));
  await log.line(/ended early/);
  await client.idle();
  assert.equal(published.filter((step) => step === 'r1/1/init').length, 10);
  assert.equal(published.at(-1), 'r1/1/abort');
  assert.deepEqual(client.sent, { files: 0, bytes: 0, failed: 1 });
});
