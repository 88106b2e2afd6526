import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AuditLog } from '../../src/app/audit-log.js';
import type { AuditEvent } from '../../src/audit.js';
import { createLog } from '../../src/log.js';
import { MemoryLog } from './app-fixture.js';

const CLIENT = { client: 'c', user: null, address: '127.0.0.1' };
const CONNECTED: AuditEvent = { audit: 'connected', ...CLIENT, version: 5, clean: true };
const DENIED: AuditEvent = { audit: 'publish-denied', ...CLIENT, topic: '$SYS/x', code: 0x87 };

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'mqtt-stream-audit-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** What is written, and a clock. */
function rig() {
  const written: { audit?: string; leftOut?: number; text: string }[] = [];
  const clock = { now: 0 };
  const audit = new AuditLog(
    (fields, text) => written.push({ ...fields, text }),
    () => clock.now,
  );
  return { written, clock, audit };
}

test('in the log: one line an event, by its kind, with a channel of its own', async () => {
  const memory = new MemoryLog();
  const audit = await AuditLog.open({ enabled: true, file: '' }, memory.log, () => 0);
  audit.record(CONNECTED);
  audit.record(DENIED);
  await audit.close();
  const lines = memory.lines.map(({ level, msg, ...rest }) => {
    const { time, ...fields } = rest as Record<string, unknown>;
    assert.ok(Math.abs(Date.parse(time as string) - Date.now()) < 60_000);
    return [level, msg, fields];
  });
  assert.deepEqual(lines, [
    [30, 'a client connected', { channel: 'audit', ...CONNECTED }],
    [30, 'a publish was denied', { channel: 'audit', ...DENIED }],
  ]);
});

test('text: whatever a client calls itself, it is one line, and nobody else', async () => {
  const lines: string[] = [];
  const log = createLog({ level: 'info', format: 'text' }, (line) => lines.push(line));
  const audit = await AuditLog.open({ enabled: true, file: '' }, log, () => 0);
  for (const client of ['a\nb', '\u001b[2J', '\u202e\u2066', 'x user=root', '__proto__', '"', '\u2028']) {
    audit.record({ ...CONNECTED, client });
    const [line, more] = lines.splice(0);
    assert.equal(more, undefined);
    assert.doesNotMatch(line.slice(0, -1), /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u);
    assert.match(line, / client=\S.* user=null address=127\.0\.0\.1 version=5 clean=true\n$/);
    assert.ok(!line.includes(' user=root ') || line.includes('"x user=root"'));
  }
});

test('long texts are cut: a line has an end', () => {
  const { audit, written } = rig();
  audit.record({ ...DENIED, client: 'c'.repeat(60_000), topic: 't'.repeat(256) });
  const line = written[0] as { client?: string; topic?: string };
  assert.equal(line.client, `${'c'.repeat(256)}…`);
  assert.equal(line.topic, 't'.repeat(256));
});

test('a flood of what is refused is written only in part, and the rest counted', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { audit, written, clock } = rig();
  for (let i = 0; i < 1000; i++) audit.record(DENIED);
  assert.equal(written.length, 100);
  audit.record(CONNECTED);
  assert.equal(written.splice(0).at(-1)?.audit, 'connected', 'it does not hide what else happens');
  clock.now = 1000;
  for (let i = 0; i < 1000; i++) audit.record(DENIED);
  assert.equal(written.splice(0).length, 10);
  t.mock.timers.tick(9_999);
  assert.deepEqual(written, []);
  t.mock.timers.tick(1);
  const text = 'a publish was denied: too often to write down';
  assert.deepEqual(written.splice(0), [{ audit: 'publish-denied', leftOut: 1890, text }]);
  t.mock.timers.tick(100_000);
  assert.deepEqual(written, []);
});

test('what was left out is told at the end, too', async () => {
  const { audit, written } = rig();
  for (let i = 0; i < 101; i++) audit.record(DENIED);
  await audit.close();
  assert.equal(written.at(-1)?.leftOut, 1);
});

test('a crowd that comes back is written down whole', () => {
  const { audit, written } = rig();
  for (let i = 0; i < 10_000; i++) audit.record(CONNECTED);
  assert.equal(written.length, 10_000);
});

test('a file: JSON lines are added to it, and nobody else may read it', async (t) => {
  const file = join(await folder(t), 'audit.log');
  const memory = new MemoryLog();
  for (let start = 0; start < 2; start++) {
    const audit = await AuditLog.open({ enabled: true, file }, memory.log, () => 0);
    audit.record({ ...CONNECTED, client: 'a\n"b' });
    audit.record(DENIED);
    await audit.close();
    audit.record(CONNECTED);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    // As if somebody had opened it to others.
    await chmod(file, 0o644);
  }
  const lines = (await readFile(file, 'utf8')).split('\n');
  assert.equal(lines.pop(), '');
  const events = lines.map((line) => JSON.parse(line));
  assert.deepEqual(
    events.map(({ audit, client, msg }) => [audit, client, msg]),
    [0, 1].flatMap(() => [
      ['connected', 'a\n"b', 'a client connected'],
      ['publish-denied', 'c', 'a publish was denied'],
    ]),
  );
  assert.deepEqual(memory.lines, []);
});

test('a level that hides the log does not hide the file', async (t) => {
  const file = join(await folder(t), 'audit.log');
  const log = createLog({ level: 'silent', format: 'text' }, () => assert.fail());
  const audit = await AuditLog.open({ enabled: true, file }, log, () => 0);
  audit.record(CONNECTED);
  await audit.close();
  assert.match(await readFile(file, 'utf8'), /"audit":"connected"/);
});

test('a file that cannot be written stops the start, with its name', async (t) => {
  const path = await folder(t);
  const memory = new MemoryLog();
  await writeFile(join(path, 'file'), '');
  for (const file of [path, join(path, 'none', 'audit.log'), join(path, 'file', 'audit.log')]) {
    await assert.rejects(
      AuditLog.open({ enabled: true, file }, memory.log, () => 0),
      ({ code, message }: { code: string; message: string }) =>
        code === 'AUDIT_UNUSABLE' && message.includes(file),
    );
  }
});

test('a disk that fails later is told once, and ends nothing', {
  skip: process.platform !== 'linux',
}, async () => {
  const memory = new MemoryLog();
  const audit = await AuditLog.open({ enabled: true, file: '/dev/full' }, memory.log, () => 0);
  for (let i = 0; i < 10; i++) {
    audit.record(CONNECTED);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await memory.seen(/audit file cannot be written/);
  await audit.close();
  assert.equal(memory.matching(/audit file cannot be written/).length, 1);
});

test('switched off: nothing', async () => {
  const memory = new MemoryLog();
  const audit = await AuditLog.open({ enabled: false, file: '' }, memory.log, () => 0);
  audit.record(CONNECTED);
  await audit.close();
  assert.deepEqual(memory.lines, []);
});
