import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { connectAsync } from 'mqtt';
import { parquetFiles, rowsOf } from '../../src/cli/demo/parquet-rows.js';
import { DAY, putMany } from '../catalog/parquet.js';
import { configFile, Program, started, tempFolder } from './program.js';

async function publish(url: string, count: number): Promise<void> {
  const client = await connectAsync(url, { protocolVersion: 5 });
  const published = Array.from({ length: count }, (_, i) =>
    client.publishAsync(`vehicle/${i % 7}`, `message ${i}`, { qos: 1 }),
  );
  await Promise.all(published);
  await client.endAsync();
}

const rowsIn = async (folder: string) => rowsOf(await parquetFiles(join(folder, 'data', 'streams')));

test('prints a line a listener, one for HTTP, one a stream, and ready', async (t) => {
  const program = await started(t, await configFile(await tempFolder(t)));
  const port = /:\d+/.source;
  assert.deepEqual(
    program.stdout.lines.map((line) => line.replace(new RegExp(port), ':PORT')),
    [
      'listening on mqtt://127.0.0.1:PORT',
      'listening on ws://127.0.0.1:PORT/mqtt',
      'http on http://127.0.0.1:PORT',
      'stream vehicle: vehicle/# (0 files, 0 B)',
      'ready',
    ],
  );
  assert.equal((await fetch(`${program.http}/readyz`)).status, 200);
});

test('with thousands of files it serves before it has read them', async (t) => {
  const folder = await tempFolder(t);
  await putMany(join(folder, 'data'), 3000);
  const program = new Program(t, ['start', '--config', await configFile(folder), '--json']);
  const line = await program.says(/"event":"stream"/);
  const { files, loading } = JSON.parse(line) as { files: number; loading: number };
  assert.equal(files + loading, 3000);
  assert.ok(loading > 0);
  await program.says(/"files":3000/, 'stderr');
  program.child.kill('SIGTERM');
  assert.equal(await program.exit(), 0);
  // What they say of the clock is known, too.
  const { corrections } = JSON.parse(await readFile(join(folder, 'data', 'clock.json'), 'utf8')) as {
    corrections: object[];
  };
  assert.deepEqual(corrections, [{ from: DAY, offset: 5 }]);
});

test('the same as JSON, and the log too', async (t) => {
  const config = await configFile(await tempFolder(t));
  const program = new Program(t, ['start', '--config', config, '--json']);
  await program.says(/"ready"/);
  program.child.kill('SIGINT');
  assert.equal(await program.exit(), 0);
  const events = program.stdout.lines.map(
    (line) => JSON.parse(line) as { event: string; unwritten?: object },
  );
  assert.deepEqual(
    events.map(({ event }) => event),
    ['listening', 'listening', 'http', 'stream', 'ready', 'stopped'],
  );
  assert.deepEqual(events.at(-1)?.unwritten, []);
  for (const line of program.stderr.lines) JSON.parse(line);
});

test('SIGTERM writes everything, also while connections stand that say nothing', async (t) => {
  const folder = await tempFolder(t);
  const program = await started(t, await configFile(folder));
  await publish(program.ws, 500);
  for (const url of [program.tcp, program.ws, program.http]) {
    const silent = connectSocket(Number(new URL(url).port), '127.0.0.1');
    silent.on('error', () => {});
    t.after(() => silent.destroy());
    await once(silent, 'connect');
  }
  program.child.kill('SIGTERM');
  assert.equal(await program.exit(), 0);
  assert.equal(program.stdout.lines.at(-1), 'stopped: everything is written');
  assert.equal((await rowsIn(folder)).length, 500);

  const again = await started(t, join(folder, 'config.yaml'));
  await again.says(/^stream vehicle: vehicle\/# \(1 file, \d+\.\d KB\)$/);
});

test('what cannot be written is named, with the reason; exit code 1', async (t) => {
  const folder = await tempFolder(t);
  // Where the stream's folder belongs.
  await mkdir(join(folder, 'data', 'streams'), { recursive: true });
  await writeFile(join(folder, 'data', 'streams', 'vehicle'), '');
  const program = await started(
    t,
    await configFile(folder, { streams: [{ name: 'vehicle', topics: ['vehicle/#'], durability: 'none' }] }),
  );
  await publish(program.tcp, 3);
  program.child.kill('SIGTERM');
  assert.equal(await program.exit(), 1);
  assert.match(
    program.stdout.text,
    /^stopped: not everything is written\nstream vehicle: 3 messages in no file: .*(ENOTDIR|EEXIST).*$/m,
  );
});

test('SIGHUP without files to read changes nothing', async (t) => {
  const program = await started(t, await configFile(await tempFolder(t)));
  program.child.kill('SIGHUP');
  await program.says(/SIGHUP: there is nothing to reload/, 'stderr');
  assert.equal((await fetch(`${program.http}/healthz`)).status, 200);
  program.child.kill('SIGTERM');
  assert.equal(await program.exit(), 0);
});

test('a fault in the program is logged, stops in order and makes exit code 1', async (t) => {
  for (const fault of ['throw new Error("boom")', 'Promise.reject(new Error("boom"))']) {
    const folder = await tempFolder(t);
    const preload = `data:text/javascript,process.on("SIGUSR2",()=>{${encodeURIComponent(fault)}})`;
    const args = ['start', '--config', await configFile(folder)];
    const program = new Program(t, args, ['--import', preload]);
    await publish((await program.says(/^listening on mqtt:/)).split(' ')[2], 5);
    program.child.kill('SIGUSR2');
    assert.equal(await program.exit(), 1);
    assert.match(program.stderr.text, /FATAL a fault in the program error=boom/);
    assert.equal(program.stdout.lines.at(-1), 'stopped: everything is written');
    assert.equal((await rowsIn(folder)).length, 5);
  }
});

test('the second signal ends a process that still waits', async (t) => {
  const module = new URL('../../src/cli/stop-signal.js', import.meta.url).href;
  const script = `import { stopSignal } from '${module}';
    setInterval(() => {}, 1000);
    const first = stopSignal();
    console.log('waiting');
    console.log('got ' + await first);`;
  const { spawn } = await import('node:child_process');
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'pipe' });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
    if (said === 'waiting\n') child.kill('SIGTERM');
    else if (said.endsWith('got SIGTERM\n')) child.kill('SIGINT');
  });
  assert.deepEqual(await once(child, 'exit'), [130, null]);
});

test('a configuration that is wrong: text on standard error, exit code 2, nothing on disk', async (t) => {
  const folder = await tempFolder(t);
  const config = await configFile(folder, { listners: [] });
  const program = new Program(t, ['start', '--config', config]);
  assert.equal(await program.exit(), 2);
  assert.match(
    program.stderr.text,
    /config\.yaml:1: listners: there is no such key; did you mean listeners\?/,
  );
  assert.equal(program.stdout.text, '');
  await assert.rejects(readFile(join(folder, 'data', 'lock.json')), /ENOENT/);
});

test('a second process on the same data folder, and a port in use: one clear line, exit code 1', async (t) => {
  const folder = await tempFolder(t);
  const config = await configFile(folder);
  const first = await started(t, config);
  const second = new Program(t, ['start', '--config', config]);
  assert.equal(await second.exit(), 1);
  const errors = second.stderr.lines;
  assert.equal(errors.length, 1);
  assert.match(errors[0], new RegExp(`^DATA_DIR_IN_USE: .*${folder}.*process ${first.child.pid} `));

  const elsewhere = ['--data-dir', join(folder, 'other')];
  for (const [setting, url] of [
    ['http.port', first.http],
    ['listeners', first.tcp],
  ] as const) {
    const { port } = new URL(url);
    const value = setting === 'listeners' ? `[{port: ${port}}]` : port;
    const other = new Program(t, ['start', '--config', config, ...elsewhere, '--set', `${setting}=${value}`]);
    assert.equal(await other.exit(), 1);
    assert.deepEqual(
      other.stderr.lines.filter((line) => !line.includes(' info ')),
      [
        `PORT_IN_USE: port ${port} on 127.0.0.1 is in use by another process; stop it or change the port of this listener`,
      ],
    );
  }
  assert.equal((await fetch(`${first.http}/readyz`)).status, 200);
});

test('a broker lives on when nobody reads what it prints', async (t) => {
  const program = await started(t, await configFile(await tempFolder(t)));
  program.child.stdout!.destroy();
  program.child.kill('SIGTERM');
  assert.equal(await program.exit(), 0);
});
