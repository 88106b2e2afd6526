import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { getPriority } from 'node:os';
import { test } from 'node:test';
import { MqttStreamError } from '../src/errors.js';
import { ReadingThread } from '../src/query/reading-thread.js';
import { threadId, yieldToOthers } from '../src/thread-priority.js';
import { Started } from './recorder/started.js';

const skip = process.platform !== 'linux' && 'threads have a priority of their own on Linux only';

/** How many threads of this process have that nice value. */
function threadsAt(nice: number): number {
  return readdirSync('/proc/self/task').filter((id) => getPriority(Number(id)) === nice).length;
}

test('the thread that makes files yields to the others, which keep their priority', { skip }, async (t) => {
  const before = getPriority(threadId());
  assert.equal(threadsAt(7), 0);
  const started = await Started.start(t, { nice: 7 });
  started.publish(started.add('vehicle'), 1);
  await started.recorder.flush('vehicle', 'request');
  assert.equal(threadsAt(7), 1);
  assert.equal(getPriority(threadId()), before);
});

test('so does the thread that reads files', { skip }, async (t) => {
  assert.equal(threadsAt(8), 0);
  const entry = new URL('../src/query/file-worker.js', import.meta.url);
  const thread = new ReadingThread(entry, { nice: 8, keys: [] }, () => {});
  t.after(() => thread.stop(new MqttStreamError('SHUTTING_DOWN')));
  const call = thread.open({ path: '/none', start: 0, end: 0, topic: null });
  call.ask();
  assert.equal((await call.answer()).kind, 'failed');
  assert.equal(threadsAt(8), 1);
});

test('a priority that the system refuses is told, and nothing else happens', { skip }, () => {
  assert.match(yieldToOthers(1000)!, /stays as it is: .*priority/);
});
