import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { MqttStreamError } from '../../src/errors.js';
import { diskFs, type ReceiverFs } from '../../src/transfer/part.js';
import { type ReceivedFile, Receiver } from '../../src/transfer/receiver.js';
import { fileTopic, type Step } from '../../src/transfer/topics.js';
import { bytesOf, describeFile, sha256Of, startBroker, TestLog, tempFolder } from './fixture.js';

interface Rig {
  readonly dir: string;
  readonly receiver: Receiver;
  readonly files: ReceivedFile[];
  readonly errors: MqttStreamError[];
  /** Publishes; returns when the receiver has dealt with all of it. */
  send(...messages: [topic: string, payload: string | Buffer][]): Promise<void>;
}

async function rig(t: TestContext, fs?: ReceiverFs): Promise<Rig> {
  const acknowledged = new Map<string, () => void>();
  const broker = await startBroker(t);
  const dir = join(await tempFolder(t), 'received');
  const files: ReceivedFile[] = [];
  const errors: MqttStreamError[] = [];
  const marker = /"marker\/(\d+)"/;
  const receiver = await Receiver.start({
    url: broker.url,
    dir,
    // A marker after the messages: it is refused when all before it is done.
    filter: '#',
    log: new TestLog(),
    fs,
    onFile: (file) => files.push(file),
    onError: (error) => {
      const [, number] = marker.exec(error.message) ?? [];
      if (number === undefined) errors.push(error);
      else acknowledged.get(number)?.();
    },
  });
  t.after(() => receiver.close());
  let markers = 0;
  return {
    dir,
    receiver,
    files,
    errors,
    send: async (...messages) => {
      for (const [topic, payload] of messages) await broker.publish(topic, payload);
      const number = String(markers++);
      const done = new Promise<void>((resolve) => acknowledged.set(number, resolve));
      await broker.publish(`marker/${number}`, '');
      await done;
    },
  };
}

const content = bytesOf(250);
const file = describeFile(1, content);
const path = (rig: Rig, id = 'r1') => join(rig.dir, id, file.name);
const exists = async (path: string) => (await readdir(join(path, '..'))).includes(path.split('/').at(-1)!);

const init = { ...file, stream: 'vehicle', chunkBytes: 100 };
const fin = { bytes: file.bytes, sha256: file.sha256 };

function message(step: Step, payload: object | Buffer, id = 'r1'): [string, string | Buffer] {
  return [fileTopic(id, file.name, step), Buffer.isBuffer(payload) ? payload : JSON.stringify(payload)];
}

const chunk = (offset: number, end = offset + 100): [string, string | Buffer] =>
  message(offset, content.subarray(offset, end));
const whole = [message('init', init), chunk(0), chunk(100), chunk(200), message('fin', fin)];

test('keeps a file that verifies, and tells once', async (t) => {
  const r = await rig(t);
  await r.send(...whole);
  assert.deepEqual(await readFile(path(r)), content);
  assert.deepEqual(r.files, [
    { id: 'r1', name: file.name, path: path(r), bytes: 250, sha256: file.sha256, rows: 10 },
  ]);
  assert.deepEqual(r.receiver.received, { files: 1, bytes: 250, failed: 0 });
  assert.deepEqual(await readdir(join(r.dir, 'r1')), [file.name]);
});

test('what comes twice is written once, also after the end', async (t) => {
  const r = await rig(t);
  const [start, first, second, third, end] = whole;
  await r.send(start!, first!, first!, second!, first!, second!, third!, third!, end!, end!, third!);
  assert.deepEqual(await readFile(path(r)), content);
  assert.deepEqual(r.errors, []);
  assert.deepEqual(r.receiver.received, { files: 1, bytes: 250, failed: 0 });
});

test('a new init begins again', async (t) => {
  const r = await rig(t);
  await r.send(message('init', init), chunk(0), ...whole);
  assert.deepEqual(await readFile(path(r)), content);
  // And the same file may be sent another time.
  await r.send(...whole);
  assert.deepEqual(r.receiver.received, { files: 2, bytes: 500, failed: 0 });
});

const forged = bytesOf(100, 7);
const refusals: [string, [string, string | Buffer][], string, RegExp][] = [
  ['a gap', [whole[0]!, chunk(0), chunk(200)], 'TRANSFER_INCOMPLETE', /bytes 100 to 200 are missing/],
  ['an overlap', [whole[0]!, chunk(0), chunk(50, 150)], 'TRANSFER_INCOMPLETE', /byte 50 came twice/],
  [
    'too much',
    [...whole.slice(0, 4), message(250, Buffer.from('x'))],
    'TRANSFER_INCOMPLETE',
    /more than the announced 250/,
  ],
  ['one chunk too large', [whole[0]!, message(0, bytesOf(251))], 'TRANSFER_INCOMPLETE', /more than/],
  [
    'a forged chunk',
    [whole[0]!, chunk(0), message(100, forged), chunk(200), whole[4]!],
    'TRANSFER_CHECKSUM',
    /sha256/,
  ],
  ['an early end', [whole[0]!, chunk(0), whole[4]!], 'TRANSFER_CHECKSUM', /size/],
  [
    'another size at the end',
    [...whole.slice(0, 4), message('fin', { ...fin, bytes: 249 })],
    'TRANSFER_CHECKSUM',
    /size/,
  ],
  [
    'another sum at the end',
    [...whole.slice(0, 4), message('fin', { ...fin, sha256: sha256Of(forged) })],
    'TRANSFER_CHECKSUM',
    /sha256/,
  ],
  ['an end that is no JSON', [...whole.slice(0, 4), message('fin', forged)], 'TRANSFER_BAD_REQUEST', /JSON/],
  ['a start that is no JSON', [message('init', forged), chunk(0)], 'TRANSFER_BAD_REQUEST', /JSON/],
  [
    'a start without a sum',
    [message('init', { ...init, sha256: null }), chunk(0)],
    'TRANSFER_BAD_REQUEST',
    /sha256/,
  ],
  [
    'a start of another file',
    [message('init', { ...init, name: '1~2_3.parquet' }), chunk(0)],
    'TRANSFER_INCOMPLETE',
    /announced as/,
  ],
  [
    'no start',
    [chunk(0), chunk(100), chunk(200), whole[4]!],
    'TRANSFER_INCOMPLETE',
    /start was not received/,
  ],
  [
    'a sender that gives up',
    [whole[0]!, chunk(0), message('abort', { code: 'TRANSFER_READ_FAILED', message: 'bad disk' })],
    'TRANSFER_INCOMPLETE',
    /TRANSFER_READ_FAILED: bad disk/,
  ],
  [
    'a sender that gives up before it begins',
    [message('abort', { code: 'TRANSFER_OUTSIDE', message: 'no' })],
    'TRANSFER_INCOMPLETE',
    /TRANSFER_OUTSIDE: no/,
  ],
];
for (const [name, messages, code, text] of refusals) {
  test(`keeps nothing after ${name}, tells once, and takes the file when it comes right`, async (t) => {
    const r = await rig(t);
    await mkdir(join(r.dir, 'r1'), { recursive: true });
    // What follows belongs to the file that has failed.
    await r.send(...messages, chunk(200), message('fin', fin));
    assert.deepEqual(
      r.errors.map((error) => error.code),
      [code],
    );
    assert.match(r.errors[0]!.message, text);
    assert.deepEqual(await readdir(join(r.dir, 'r1')), []);
    assert.deepEqual(r.receiver.received, { files: 0, bytes: 0, failed: 1 });
    await r.send(...whole);
    assert.deepEqual(await readFile(path(r)), content);
  });
}

test('hostile ids, names and topics make no file', async (t) => {
  const r = await rig(t);
  await mkdir(r.dir);
  const topics = [
    'ParquetFile/../1~2_3.parquet/init',
    'ParquetFile/r1/../init',
    'ParquetFile/r1/1~2_3.parquet/../init',
    'ParquetFile/r1/.x.parquet/init',
    'ParquetFile//1~2_3.parquet/init',
    'other/r1/1~2_3.parquet/init',
  ];
  await r.send(...topics.map((topic): [string, string] => [topic, JSON.stringify(init)]));
  assert.equal(r.errors.length, topics.length);
  assert.ok(r.errors.every((error) => error.code === 'TRANSFER_BAD_REQUEST'));
  assert.deepEqual(await readdir(r.dir), []);
  assert.deepEqual(await readdir(join(r.dir, '..')), ['received']);
  // Inherited names are names like others.
  const proto = whole.map(([topic, payload]): [string, string | Buffer] => [
    topic.replace('/r1/', '/__proto__/'),
    payload,
  ]);
  await r.send(...proto);
  assert.deepEqual(await readFile(path(r, '__proto__')), content);
});

test('two files at a time do not mix', async (t) => {
  const r = await rig(t);
  const messages = whole.flatMap(([topic, payload]): [string, string | Buffer][] => [
    [topic, payload],
    [topic.replace('/r1/', '/r2/'), payload],
  ]);
  await r.send(...messages);
  assert.deepEqual(await readFile(path(r)), content);
  assert.deepEqual(await readFile(path(r, 'r2')), content);
});

test('the file that has waited longest makes room when too many are open', async (t) => {
  const r = await rig(t);
  const ids = Array.from({ length: 65 }, (_, i) => `r${i}`);
  await r.send(...ids.slice(0, 64).map((id) => message('init', init, id)));
  await r.send(message(0, content.subarray(0, 100), 'r0'));
  await r.send(message('init', init, 'r64'));
  assert.equal(r.errors.length, 1);
  assert.match(r.errors[0]!.message, /more than 64 files/);
  assert.deepEqual(await readdir(join(r.dir, 'r1')), []);
  assert.ok(await exists(`${path(r, 'r0')}.part`));
  assert.ok(await exists(`${path(r, 'r64')}.part`));
});

test('a part of an earlier run is replaced', async (t) => {
  const r = await rig(t);
  await mkdir(join(r.dir, 'r1'), { recursive: true });
  await writeFile(`${path(r)}.part`, bytesOf(1000));
  await r.send(...whole);
  assert.deepEqual(await readdir(join(r.dir, 'r1')), [file.name]);
  assert.deepEqual(await readFile(path(r)), content);
});

test('close removes what is not complete, and tells', async (t) => {
  const r = await rig(t);
  await r.send(message('init', init), chunk(0));
  assert.ok(await exists(`${path(r)}.part`));
  await r.receiver.close();
  assert.deepEqual(await readdir(join(r.dir, 'r1')), []);
  assert.deepEqual(r.receiver.received, { files: 0, bytes: 0, failed: 1 });
  assert.match(r.errors[0]!.message, /receiver ended/);
});

/** The disk, noting the order of what matters, with faults. */
function faultyFs(calls: string[], fault: (call: string) => void): ReceiverFs {
  const note = (call: string): void => {
    calls.push(call);
    fault(call);
  };
  return {
    ...diskFs,
    rename: async (from, to) => {
      note('rename');
      await diskFs.rename(from, to);
    },
    open: async (path, flags, mode) => {
      const handle = await diskFs.open(path, flags, mode);
      const kind = flags === 'r' ? 'folder' : 'file';
      return {
        close: () => handle.close(),
        sync: async () => {
          note(`sync ${kind}`);
          await handle.sync();
        },
        write: async (buffer, offset, length, position) => {
          note('write');
          // Never all at once, as the system may.
          return handle.write(buffer, offset, Math.ceil(length / 2), position);
        },
      };
    },
  };
}

test('a file has its name only after it is on the disk', async (t) => {
  const calls: string[] = [];
  const r = await rig(
    t,
    faultyFs(calls, () => undefined),
  );
  await r.send(...whole);
  assert.deepEqual(await readFile(path(r)), content);
  assert.deepEqual(
    calls.filter((call) => call !== 'write'),
    ['sync file', 'rename', 'sync folder', 'sync folder'],
  );
  assert.equal(calls.lastIndexOf('write'), calls.indexOf('sync file') - 1);
});

test('a full disk ends the file, not the receiver', async (t) => {
  for (const failing of ['write', 'sync file', 'rename']) {
    let broken = true;
    const fs = faultyFs([], (call) => {
      if (broken && call === failing) throw new Error('ENOSPC: no space left');
    });
    const r = await rig(t, fs);
    await r.send(...whole);
    assert.deepEqual(
      r.errors.map((error) => error.code),
      ['TRANSFER_INCOMPLETE'],
    );
    assert.match(r.errors[0]!.message, /ENOSPC/);
    assert.deepEqual(await readdir(join(r.dir, 'r1')), []);
    broken = false;
    await r.send(...whole);
    assert.deepEqual(await readFile(path(r)), content);
  }
});

test('a callback that throws does not lose the file after it', async (t) => {
  const broker = await startBroker(t);
  const dir = await tempFolder(t);
  const log = new TestLog();
  const receiver = await Receiver.start({
    url: broker.url,
    dir,
    log,
    onFile: () => {
      throw new Error('mine');
    },
  });
  t.after(() => receiver.close());
  for (const [topic, payload] of whole) await broker.publish(topic, payload);
  await log.line(/could not be handled/);
  assert.deepEqual(receiver.received, { files: 1, bytes: 250, failed: 0 });
});
