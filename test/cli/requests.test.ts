import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connectAsync } from 'mqtt';
import { parquetFiles, rowsOf } from '../../src/cli/demo/parquet-rows.js';
import { configFile, Program, run, started, tempFolder } from './program.js';

interface Line {
  readonly key: number;
  readonly topic: string;
  readonly qos: number;
  readonly payload: string;
}

/** A broker with a few messages of every QoS; `write` has them in a file. */
async function broker(t: TestContext, more: object = {}) {
  const folder = await tempFolder(t);
  const { tcp: url } = await started(t, await configFile(folder, more));
  const client = await connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0 });
  t.after(() => client.end(true));
  let next = 0;
  const publish = async (count: number) => {
    for (let i = 0; i < count; i++, next++) {
      await client.publishAsync(`vehicle/${next % 2 ? 'odd' : 'even'}`, `message ${next}`, {
        qos: (next % 3) as 0 | 1 | 2,
      });
    }
    // After all of QoS 0 before it.
    await client.publishAsync('elsewhere', '', { qos: 1 });
  };
  const ask = (verb: string, ...args: string[]) => run(verb, '--url', url, '--stream', 'vehicle', ...args);
  return { folder, url, publish, ask };
}

const messages = (lines: readonly string[]) => lines.map((line) => JSON.parse(line) as Line);
const payloads = (lines: readonly string[]) => messages(lines).map(({ payload }) => payload);
const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `message ${from + i}`);

test('search, flush, replay and files over one stream', async (t) => {
  const { publish, ask } = await broker(t);
  await publish(9);

  const inRing = await ask('search', '--json');
  assert.equal(inRing.code, 0);
  assert.deepEqual(payloads(inRing.out), numbered(0, 9));
  assert.deepEqual(
    messages(inRing.out).map(({ qos }) => qos),
    [0, 1, 2, 0, 1, 2, 0, 1, 2],
  );

  const flushed = await ask('flush');
  assert.equal(flushed.code, 0);
  assert.match(
    flushed.out[0],
    /^\d+~\d+_\d+\.parquet {2}20[-\d]{8}T[:\d]{8}\.\d{6}Z {2}20[-\d]{8}T[:\d]{8}\.\d{6}Z {2}9 rows {2}\d+\.\d KB {2}[0-9a-f]{64}$/,
  );
  assert.deepEqual((await ask('flush')).out, ['nothing to write: everything was in files']);
  const status = (await ask('status')).out;
  assert.match(status[0]!, /^state +ok$/);
  assert.ok(
    status.some((line) => /^files\.files +1$/.test(line)),
    status.join('\n'),
  );

  await publish(5);
  const found = await ask('search');
  assert.deepEqual(
    found.out.map((line) => {
      const [, key, wall, rest] = /^(\d{16}) (\S+)(\d{3}Z .*)$/.exec(line)!;
      // The clock did not step: the key is wall time, as people write it.
      assert.equal(`${Date.parse(`${wall}Z`)}${rest!.slice(0, 3)}`, key);
      return rest!.slice(5);
    }),
    numbered(9, 14).map((text, i) => `vehicle/${i % 2 ? 'even' : 'odd'} ${text}`),
  );
  assert.match(found.err[0], /^5 messages, keys \d+ \(20\S+Z\) to \d+ \(20\S+Z\); 1 file besides$/);

  const replayed = await ask('replay', '--json', '--id', 'mine');
  assert.deepEqual(payloads(replayed.out), numbered(0, 14));
  const keys = messages(replayed.out).map(({ key }) => key);
  assert.ok(keys.every((key, i) => i === 0 || key > keys[i - 1]));
  const result = JSON.parse(replayed.err.join('')) as { id: string; messages: { count: number } };
  assert.deepEqual([result.id, result.messages.count], ['mine', 14]);

  const files = await ask('files');
  assert.deepEqual(files.out, flushed.out);
  const listed = JSON.parse((await ask('files', '--json')).text) as { files: { rows: number }[] };
  assert.deepEqual(
    listed.files.map(({ rows }) => rows),
    [9],
  );
});

test('ranges, topics, limits and rates go with the request', async (t) => {
  const { publish, ask } = await broker(t);
  await publish(10);
  const all = messages((await ask('replay', '--json')).out);
  const [from, to] = [String(all[2].key), String(all[5].key)];
  assert.deepEqual(
    payloads((await ask('replay', '--json', '--keys', '--from', from, '--to', to)).out),
    numbered(2, 6),
  );
  assert.deepEqual(
    payloads((await ask('replay', '--json', '--from', '-10m', '--to', 'now')).out),
    numbered(0, 10),
  );
  assert.deepEqual((await ask('replay', '--to', '2001-01-01')).out, []);
  assert.deepEqual(
    payloads((await ask('replay', '--json', '--limit', '3', '--rate', '1000')).out),
    numbered(0, 3),
  );
  const odd = messages((await ask('search', '--json', '--topic', '+/odd')).out);
  assert.deepEqual(
    odd.map(({ topic }) => topic),
    new Array(5).fill('vehicle/odd'),
  );
});

test('who may not ask for the status sees keys, and that no wall time is shown', async (t) => {
  const rules = [
    { permit: 'deny', action: 'publish', topic: '$STREAM/status' },
    { permit: 'allow', action: 'all', topic: '#' },
    { permit: 'allow', action: 'all', topic: '$STREAM/#' },
    { permit: 'allow', action: 'all', topic: 'MQfile/#' },
  ];
  const { publish, ask } = await broker(t, { acl: { rules } });
  await publish(1);
  const { code, out, err } = await ask('replay');
  assert.equal(code, 0, err.join('\n'));
  assert.match(out[0]!, /^\d{16} - vehicle\/even message 0$/);
  assert.match(
    err[0]!,
    /^wall time is not shown: the rules do not let this client ask for \$STREAM\/status$/,
  );
});

test('search --dir receives the files and verifies them', async (t) => {
  const { folder, publish, ask } = await broker(t);
  await publish(20);
  await ask('flush');
  await publish(5);
  const dir = join(folder, 'received');
  const { code, out, err } = await ask('search', '--json', '--dir', dir, '--id', 'r1');
  assert.equal(code, 0);
  assert.deepEqual(payloads(out), numbered(20, 25));
  const { file } = JSON.parse(err.at(-1)!) as { file: { path: string; rows: number } };
  assert.equal(file.rows, 20);
  const [kept] = await parquetFiles(join(folder, 'data', 'streams'));
  assert.deepEqual(await readFile(file.path), await readFile(kept));
  assert.equal((await rowsOf([file.path])).length, 20);
  assert.ok(file.path.startsWith(join(dir, 'r1')));
});

test('what the broker refuses is told with its code, exit code 1', async (t) => {
  const { url, ask } = await broker(t);
  const unknown = await run('replay', '--url', url, '--stream', 'other');
  assert.deepEqual(unknown, {
    code: 1,
    out: [],
    text: '',
    err: ['STREAM_NOT_FOUND: there is no stream "other"; known are: vehicle'],
  });
  const bad = await ask('files', '--from', 'yesterday', '--json');
  assert.equal(bad.code, 1);
  assert.equal((JSON.parse(bad.err.join('')) as { error: { code: string } }).error.code, 'REQUEST_BAD_RANGE');
});

test('no broker, and none that answers: a code, exit code 1', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise<void>((resolve) => server.close(() => resolve()));
  const gone = await run('flush', '--stream', 'vehicle', '--url', `mqtt://me:secret@127.0.0.1:${port}`);
  assert.equal(gone.code, 1);
  assert.match(
    gone.err.join(),
    /^BROKER_UNREACHABLE: no connection to the broker at 127\.0\.0\.1:\d+: .*ECONNREFUSED/,
  );
  assert.doesNotMatch(gone.err.join(), /secret/);

  assert.equal((await run('flush', '--stream', 'vehicle', '--url', 'http://x')).code, 1);

  const { Aedes } = await import('aedes');
  const aedes = await Aedes.createBroker();
  const mute = createServer((socket) => aedes.handle(socket));
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    aedes.close();
    mute.close();
  });
  const url = `mqtt://127.0.0.1:${(mute.address() as { port: number }).port}`;
  const silent = await run('flush', '--stream', 'vehicle', '--url', url, '--timeout', '1', '--id', 'q');
  assert.equal(silent.code, 1);
  assert.deepEqual(silent.err, [
    'ANSWER_INCOMPLETE: the answer to request "q" is not complete: nothing came for 1 s',
  ]);
});

test('transfer and receive, each a process of its own', async (t) => {
  const { folder, url, publish, ask } = await broker(t, { transfer: { embedded: false } });
  const transfer = new Program(t, ['transfer', '--url', url]);
  await transfer.says(/^ready: files for 127\.0\.0\.1:\d+$/);
  const dir = join(folder, 'in');
  const some = ['--count', '2', '--filter', 'ParquetFile/one/#'];
  const receive = new Program(t, ['receive', '--url', url, '--dir', dir, ...some]);
  const open = new Program(t, ['receive', '--url', url, '--dir', join(folder, 'open'), '--json']);
  await receive.says(/^ready: ParquetFile\/one\/#$/, 'stderr');
  await open.says(/"ready"/, 'stderr');
  await publish(10);
  await ask('flush');
  await publish(10);
  await ask('flush');
  await ask('search', '--id', 'one');
  assert.equal(await receive.exit(), 0);
  assert.match(receive.stdout.lines[0], /\.parquet {2}10 rows {2}.* sha256 [0-9a-f]{64} {2}verified$/);
  assert.equal((await rowsOf(await parquetFiles(dir))).length, 20);
  await ask('search', '--id', 'two');
  await open.printed(4);

  open.child.kill('SIGTERM');
  assert.equal(await open.exit(), 0);
  for (const line of open.stdout.lines) assert.equal((JSON.parse(line) as { rows: number }).rows, 10);
  transfer.child.kill('SIGINT');
  assert.equal(await transfer.exit(), 0);
  assert.match(transfer.stdout.lines.at(-1)!, /^stopped: \d+ files sent \(.*\), 0 not$/);
});

test('receive ends with exit code 1 if a signal comes before all files', async (t) => {
  const { folder, url } = await broker(t);
  const receive = new Program(t, ['receive', '--url', url, '--dir', folder, '--count', '1']);
  await receive.says(/^ready/, 'stderr');
  receive.child.kill('SIGTERM');
  assert.equal(await receive.exit(), 1);
});
