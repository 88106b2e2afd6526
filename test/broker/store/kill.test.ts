/** What was acknowledged before kill -9 is there. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { newFolder, opened, queuedOf, queueOf } from './fixture.js';

const program = fileURLToPath(new URL('./enqueuing-process.js', import.meta.url));

for (const sync of ['sync', 'no sync']) {
  test(`a process is killed three times while it queues messages (${sync})`, async () => {
    for (const atLeast of [1, 100, 3000]) {
      const folder = newFolder();
      const child = spawn(process.execPath, [program, folder, sync], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let acknowledged = 0;
      for await (const line of createInterface(child.stdout)) {
        // What it had written before it was killed counts, too.
        assert.equal(Number(line), acknowledged + 1);
        acknowledged++;
        if (acknowledged === atLeast) child.kill('SIGKILL');
      }
      if (child.signalCode === null) await once(child, 'exit');
      assert.equal(child.signalCode, 'SIGKILL');
      assert.ok(acknowledged >= atLeast);

      const store = await opened({ folder });
      const queue = await queueOf(store, 'b');
      assert.ok(queue.length >= acknowledged, `${queue.length} of ${acknowledged}`);
      assert.deepEqual(
        queue,
        queue.map((_, i) => `m${i + 1}`),
      );
      assert.deepEqual(
        await queueOf(store, 'a'),
        queue.map((text, i) => `${text}#${((i + 1) % 65_535) + 1}`),
      );
      assert.equal((await queuedOf(store, 'a'))?.messages, queue.length);
      await store.destroy();
    }
  });
}
