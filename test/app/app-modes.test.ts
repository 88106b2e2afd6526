/** Who else on the machine can read what is kept. */
import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { configOf, publishMany, started, temporaryFolder } from './app-fixture.js';

test('nothing below the data folder is for group or others: folders, files, clock, lock', async (t) => {
  const before = process.umask(0);
  t.after(() => process.umask(before));
  const dataDir = join(await temporaryFolder(t), 'deep', 'data');
  const { app } = await started(t, configOf(dataDir));
  await publishMany(app, 'm', 10);
  await app.request('flush', { id: 'f', stream: 'vehicle' });
  const names = await readdir(dataDir, { recursive: true });
  for (const part of ['clock.json', 'lock.json', '.parquet']) {
    assert.ok(
      names.some((name) => name.endsWith(part)),
      part,
    );
  }
  for (const name of ['.', ...names]) {
    const { mode } = await stat(join(dataDir, name));
    assert.equal(mode & 0o077, 0, name);
  }
});
