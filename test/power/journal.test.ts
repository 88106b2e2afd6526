import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { segmentName, streamFolder } from '../../src/catalog/naming.js';
import { RowWriter } from '../../src/merge/rows.js';
import { Batch } from '../../src/recorder/batch.js';
import { syncPath } from '../../src/recorder/disk.js';
import { Journal } from '../../src/recorder/journal/journal.js';
import { Recovery } from '../../src/recorder/journal/recovery.js';
import { Keyring } from '../../src/seal/keyring.js';
import { generator } from '../catalog/generator.js';
import { DAY } from '../catalog/parquet.js';
import { PowerDisk } from './power-disk.js';
import { ringMessage } from './rows.js';
import { DATA_DIR } from './setup.js';

const STREAM = 'vehicle';
const NUMBERS = { next: 1, told: [], untoldFrom: Number.POSITIVE_INFINITY };
const SEGMENT = `${DATA_DIR}/${streamFolder(STREAM)}/journal/${segmentName(1)}`;

test('what a recorder left in its journal is durable before the next one tells that it is safe', () => {
  const disk = new PowerDisk(generator(1));
  disk.makeFolder(DATA_DIR);
  const batch = new Batch();
  new RowWriter(batch).append(ringMessage(DAY));
  new Journal(disk, DATA_DIR, STREAM, () => 1).write(batch);
  for (let folder = dirname(SEGMENT); folder !== '/'; folder = dirname(folder)) syncPath(disk, folder);
  syncPath(disk, '/');
  const lengths = () => new Set(Array.from({ length: 50 }, () => disk.cut().files().get(SEGMENT)?.length));
  assert.ok(lengths().size > 1);
  // The next one asks for a number before it writes, and says that all before its own messages is safe when it has synced.
  const left = { name: STREAM, ringKey: DAY + 1, numbers: NUMBERS, synced: true };
  assert.equal(new Recovery(disk, DATA_DIR, left, Keyring.EMPTY).nextNumber, 2);
  assert.deepEqual([...lengths()], [disk.files().get(SEGMENT)!.length]);
});
