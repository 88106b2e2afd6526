import assert from 'node:assert/strict';
import * as files from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { position, StateFile, type StateFiles } from '../../src/bridge/state-file.js';
import { temporaryFolder } from '../app/app-fixture.js';

test('what was written is read again, by nobody else', async (t) => {
  const path = join(await temporaryFolder(t), 'bridges', 'cloud.position.json');
  const file = new StateFile(path, position, files);
  assert.equal(await file.read(), null);
  await file.write({ stream: 'vehicle', key: 1 });
  await file.write({ stream: 'vehicle', key: 1_795_629_589_425_339 });
  assert.deepEqual(await file.read(), { stream: 'vehicle', key: 1_795_629_589_425_339 });
  assert.equal((await files.stat(path)).mode & 0o777, 0o600);
  assert.equal((await files.stat(join(path, '..'))).mode & 0o777, 0o700);
  assert.deepEqual(await files.readdir(join(path, '..')), ['cloud.position.json']);
});

test('what is damaged is told, not taken', async (t) => {
  const path = join(await temporaryFolder(t), 'p.json');
  const file = new StateFile(path, position, files);
  for (const text of [
    '',
    '{"stream":"vehicle"',
    '{"stream":"vehicle","key":-1}',
    '{"stream":"vehicle","key":"1"}',
  ]) {
    await files.writeFile(path, text);
    await assert.rejects(file.read(), text);
  }
});

test('a write that fails leaves what was there', async (t) => {
  const path = join(await temporaryFolder(t), 'p.json');
  await new StateFile(path, position, files).write({ stream: 's', key: 1 });
  const full: StateFiles = {
    ...files,
    open: async (...args) => {
      const file = await files.open(...args);
      return {
        writeFile: async () => {
          throw new Error('ENOSPC');
        },
        sync: () => file.sync(),
        close: () => file.close(),
      };
    },
  };
  const file = new StateFile(path, position, full);
  await assert.rejects(file.write({ stream: 's', key: 2 }), /ENOSPC/);
  assert.deepEqual(await file.read(), { stream: 's', key: 1 });
});
