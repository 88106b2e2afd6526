/** A disk that takes no more for a while, on the real database. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { newFolder, opened, queuedOf } from './fixture.js';

const program = fileURLToPath(new URL('./limited-process.js', import.meta.url));
const MESSAGES = 20_000;

test('writes that fail halfway lose nothing: neither what they held, nor what is written later', async (t) => {
  const folder = newFolder();
  // Files of 1 or 2 MiB at most; blocks are of 512 or 1,024 bytes.
  const limited = 'ulimit -f 2048 && exec "$@"';
  const { stdout } = await promisify(execFile)('sh', [
    ...['-c', limited, 'sh', process.execPath, program],
    ...[folder, String(MESSAGES)],
  ]);
  const { faults, rejected } = JSON.parse(stdout);
  assert.ok(faults > 0 && rejected > 0, stdout);

  const store = await opened({ folder });
  t.after(() => store.destroy());
  const counters = await store
    .outgoingStream({ id: 'c' })
    .map(({ brokerCounter }) => brokerCounter)
    .toArray();
  assert.deepEqual(
    counters,
    Array.from({ length: MESSAGES }, (_, i) => i + 1),
  );
  assert.deepEqual(await queuedOf(store, 'c'), { messages: MESSAGES, bytes: MESSAGES * 300 });
});
