import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { FileWriter } from '../../../src/recorder/files/writer.js';
import { generator } from '../../catalog/generator.js';
import { PowerCut, PowerDisk } from '../../power/power-disk.js';
import { MemoryDisk } from '../memory-disk.js';

const LABEL = {
  firstKey: 1_732_330_000_000_000,
  lastKey: 1_732_330_000_000_009,
  seq: 7,
  rows: 2,
  rawBytes: 90,
};
const NAME = '1732330000000000~1732330000000009_7.parquet';
const FOLDER = 'streams/vehicle/date=2024-11-23';
const BYTES = Buffer.alloc(2500, 'x');

test('a file is synced before it is named, and its folders after', () => {
  const disk = new MemoryDisk();
  const writer = new FileWriter(disk, '/data', 'vehicle');
  const file = writer.write(LABEL, BYTES);
  assert.deepEqual(file, {
    ...LABEL,
    name: NAME,
    path: `${FOLDER}/${NAME}`,
    bytes: 2500,
    sha256: createHash('sha256').update(BYTES).digest('hex'),
  });
  const synced = (folder: string) => [`open ${folder}`, `sync ${folder}`, `close ${folder}`];
  const temporary = `/data/${FOLDER}/${NAME}.tmp`;
  assert.deepEqual(disk.log, [
    `mkdir /data/${FOLDER}`,
    ...synced('/data/streams/vehicle'),
    ...synced('/data/streams'),
    ...synced('/data'),
    `create ${temporary}`,
    ...new Array(3).fill(`write ${temporary}`),
    `sync ${temporary}`,
    `close ${temporary}`,
    `rename /data/${FOLDER}/${NAME}`,
    ...synced(`/data/${FOLDER}`),
  ]);
  assert.deepEqual(disk.files.get(`/data/${file.path}`), BYTES);

  disk.log.length = 0;
  writer.write({ ...LABEL, seq: 8 }, BYTES);
  assert.ok(!disk.log.includes('sync /data'), 'folders that are known to last are not synced again');
});

test('a folder that went away is made and synced again', () => {
  const disk = new MemoryDisk();
  const writer = new FileWriter(disk, '/data', 'vehicle');
  writer.write(LABEL, BYTES);
  disk.folders.clear();
  disk.log.length = 0;
  writer.write({ ...LABEL, seq: 8 }, BYTES);
  assert.ok(disk.log.includes('sync /data/streams/vehicle'));
  assert.equal(disk.files.size, 2);
});

for (const operation of ['mkdir', 'create', 'write', 'sync', 'close', 'rename', 'open']) {
  test(`nothing is visible after "${operation}" failed, and the next attempt succeeds`, () => {
    // Each time the operation is done in a successful attempt, it fails in one of these.
    const whole = new MemoryDisk();
    new FileWriter(whole, '/data', 'vehicle').write(LABEL, BYTES);
    const times = whole.log.filter((line) => line.startsWith(`${operation} `)).length;
    for (let failing = 0; failing < times; failing++) {
      const disk = new MemoryDisk();
      const writer = new FileWriter(disk, '/data', 'vehicle');
      let seen = 0;
      disk.onOperation = (name) => {
        if (name === operation && seen++ === failing) throw new Error('ENOSPC: no space left');
      };
      assert.throws(() => writer.write(LABEL, BYTES), /ENOSPC/);
      assert.deepEqual([...disk.files.keys()], []);
      writer.write(LABEL, BYTES);
      assert.deepEqual([...disk.files.keys()], [`/data/${FOLDER}/${NAME}`]);
      if (operation !== 'close') assert.equal(disk.opened, 0);
    }
  });
}

test('a file that is visible but not durable, and cannot be removed, is removed before the next attempt', () => {
  const disk = new MemoryDisk();
  const writer = new FileWriter(disk, '/data', 'vehicle');
  let broken = true;
  disk.onOperation = (operation, path) => {
    if (broken && (operation === 'remove' || (operation === 'sync' && path === `/data/${FOLDER}`)))
      throw new Error(`EIO: ${operation}`);
  };
  assert.throws(() => writer.write(LABEL, BYTES), /EIO: sync/);
  assert.throws(() => writer.write({ ...LABEL, rows: 3 }, BYTES), /EIO: remove/);
  broken = false;
  const later = { ...LABEL, lastKey: LABEL.lastKey + 1, rows: 3 };
  const { path } = writer.write(later, BYTES);
  assert.deepEqual([...disk.files.keys()], [`/data/${path}`], 'no row is in two files');
});

test('a file that was visible does not come back after a power cut, beside another with its rows', () => {
  for (let seed = 0; seed < 3000; seed++) {
    const disk = new PowerDisk(generator(seed));
    disk.makeFolder('/data');
    const writer = new FileWriter(disk, '/data', 'vehicle');
    disk.fault = (operation, path) => (operation === 'sync' && path === `/data/${FOLDER}` ? 'EIO' : null);
    assert.throws(() => writer.write(LABEL, BYTES), { code: 'EIO' });
    disk.fault = () => null;
    disk.stopAt = disk.steps + 1 + (seed % 8);
    try {
      writer.write({ ...LABEL, lastKey: LABEL.lastKey + 1 }, BYTES);
    } catch (error) {
      assert.ok(error instanceof PowerCut);
    }
    const visible = [...disk.cut().files().keys()].filter((path) => path.endsWith('.parquet'));
    assert.ok(visible.length <= 1, `seed ${seed}: ${visible}`);
  }
});
