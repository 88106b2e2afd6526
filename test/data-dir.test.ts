import assert from 'node:assert/strict';
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { holdDataDir } from '../src/data-dir.js';

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'mqtt-stream-lock-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Another process that tries to hold the folder once it is told to, and then lives on. */
async function rival(
  t: TestContext,
  dataDir: string,
): Promise<{ child: ChildProcess; go(): Promise<string> }> {
  const child = fork(fileURLToPath(new URL('./data-dir-rival.js', import.meta.url)), [dataDir]);
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'message');
  return {
    child,
    go: async () => {
      const answer = once(child, 'message');
      child.send('go');
      return (await answer)[0] as string;
    },
  };
}

const LOCK = 'lock.json';

test('the folder is made for its owner alone, and the lock goes with the release', async (t) => {
  const dataDir = join(await folder(t), 'a', 'b');
  const release = await holdDataDir(dataDir);
  assert.equal((await stat(dataDir)).mode & 0o777, 0o700);
  const lock = JSON.parse(await readFile(join(dataDir, LOCK), 'utf8'));
  assert.equal(lock.pid, process.pid);
  assert.deepEqual(await readdir(dataDir), [LOCK]);
  assert.equal((await stat(join(dataDir, LOCK))).mode & 0o777, 0o600);
  await release();
  assert.deepEqual(await readdir(dataDir), []);
  await (await holdDataDir(dataDir))();
});

test('a second holder in the same process is refused, under whatever path', async (t) => {
  const parent = await folder(t);
  const dataDir = join(parent, 'data');
  const release = await holdDataDir(dataDir);
  const refusal = {
    code: 'DATA_DIR_IN_USE',
    message: new RegExp(`in use by process ${process.pid} \\(started 20`),
  };
  await assert.rejects(holdDataDir(dataDir), refusal);
  await symlink(dataDir, join(parent, 'link'));
  await assert.rejects(holdDataDir(join(parent, 'link')), refusal);
  await release();
  await (await holdDataDir(join(parent, 'link')))();
});

test('another process is refused and named, and followed when it has gone', async (t) => {
  const dataDir = await folder(t);
  const { child, go } = await rival(t, dataDir);
  assert.equal(await go(), 'held');
  await assert.rejects(holdDataDir(dataDir), {
    code: 'DATA_DIR_IN_USE',
    message: new RegExp(`${dataDir} is in use by process ${child.pid} `),
  });
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
  await (await holdDataDir(dataDir))();
});

test('a process that has ended and was not waited for holds nothing', async (t) => {
  // The shell becomes a program that knows nothing of its child.
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.after(() => parent.kill('SIGKILL'));
  const pid = Number((await once(parent.stdout, 'data'))[0]);
  const statOf = async (id: number) => (await readFile(`/proc/${id}/stat`, 'utf8')).split(' ');
  while ((await statOf(parent.pid!))[1] !== '(sleep)');
  process.kill(pid, 'SIGKILL');
  let stat = await statOf(pid);
  while (stat[2] !== 'Z') stat = await statOf(pid);
  const dataDir = await folder(t);
  const lock = { pid, startTicks: stat[21], started: 'x' };
  await writeFile(join(dataDir, LOCK), JSON.stringify(lock));
  await (await holdDataDir(dataDir))();
});

for (const [what, lock] of [
  ['of a process that is gone', { pid: 4_194_305, startTicks: '17', started: 'x' }],
  ['of a process id that was given away since', { pid: process.pid, startTicks: '1', started: 'x' }],
  ['torn by a power cut', '{"pid": 12'],
  ['that is empty', ''],
  ['with something else in it', { pid: 'x', startTicks: '/../../x' }],
] as const) {
  test(`a lock ${what} is taken over`, async (t) => {
    const dataDir = await folder(t);
    await writeFile(join(dataDir, LOCK), typeof lock === 'string' ? lock : JSON.stringify(lock));
    const release = await holdDataDir(dataDir);
    assert.equal(JSON.parse(await readFile(join(dataDir, LOCK), 'utf8')).pid, process.pid);
    assert.deepEqual(await readdir(dataDir), [LOCK]);
    await release();
  });
}

test('a process that died while it took over is followed too', async (t) => {
  const dataDir = await folder(t);
  const dead = (pid: number) => JSON.stringify({ pid, startTicks: '17', started: 'x' });
  await writeFile(join(dataDir, LOCK), dead(4_194_305));
  await writeFile(join(dataDir, `${LOCK}.after-4194305-17`), dead(4_194_306));
  const release = await holdDataDir(dataDir);
  assert.deepEqual(await readdir(dataDir), [LOCK]);
  await release();
});

test('of many that start at once after a crash exactly one holds the folder', async (t) => {
  for (const stale of [true, false]) {
    const dataDir = await folder(t);
    const lock = JSON.stringify({ pid: 4_194_305, startTicks: '17', started: 'x' });
    if (stale) await writeFile(join(dataDir, LOCK), lock);
    const rivals = await Promise.all(Array.from({ length: 5 }, () => rival(t, dataDir)));
    const answers = await Promise.all(rivals.map(({ go }) => go()));
    assert.deepEqual(answers.sort(), [...Array(4).fill('DATA_DIR_IN_USE'), 'held'], `stale: ${stale}`);
    assert.deepEqual(await readdir(dataDir), [LOCK]);
  }
});

test('a folder that cannot be used says why', async (t) => {
  const parent = await folder(t);
  await writeFile(join(parent, 'file'), '');
  for (const dataDir of [join(parent, 'file'), join(parent, 'file', 'below')]) {
    await assert.rejects(holdDataDir(dataDir), { code: 'DATA_DIR_UNUSABLE', message: /EEXIST|ENOTDIR/ });
  }
  await mkdir(join(parent, 'data', LOCK), { recursive: true });
  await assert.rejects(holdDataDir(join(parent, 'data')), { code: 'DATA_DIR_UNUSABLE', message: /EISDIR/ });
  await rm(join(parent, 'data', LOCK), { recursive: true });
  await (await holdDataDir(join(parent, 'data')))();
});

test('a folder that has gone meanwhile can be released', async (t) => {
  const dataDir = join(await folder(t), 'data');
  const release = await holdDataDir(dataDir);
  await rm(dataDir, { recursive: true });
  await release();
  await (await holdDataDir(dataDir))();
});
