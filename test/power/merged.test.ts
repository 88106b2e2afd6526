/** Files that are made of files that were made of others, and two ends of processes in the midst of that. */
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { test } from 'node:test';
import { Catalog } from '../../src/catalog/catalog.js';
import { merge } from '../../src/merge/merging.js';
import { RowWriter } from '../../src/merge/rows.js';
import { Batch } from '../../src/recorder/batch.js';
import { fileMetadata } from '../../src/recorder/files/metadata.js';
import { arrowTable } from '../../src/recorder/files/table.js';
import { FileWriter } from '../../src/recorder/files/writer.js';
import { Room } from '../../src/recorder/room.js';
import { generator } from '../catalog/generator.js';
import { DAY } from '../catalog/parquet.js';
import { keyringOf } from '../seal/keys.js';
import { Complaints } from './complaints.js';
import { PowerDisk } from './power-disk.js';
import { promises } from './promises.js';
import { quickEncoder, readContents, ringMessage } from './rows.js';
import { DATA_DIR } from './setup.js';

const STREAM = 'vehicle';
const SEALING = { keyring: keyringOf('a'), sentOpen: false };
const FILES = 4;
const ROWS = 2;
const KEYS = Array.from({ length: FILES * ROWS }, (_, i) => DAY + i);
/** More than a process has. */
const STEPS = 40;
const SEEDS = 200;

/** Files of some rows each, on the disk for good. */
function recorded(random: () => number): PowerDisk {
  const disk = new PowerDisk(random);
  disk.makeFolder(DATA_DIR);
  disk.sync(disk.open('/', 'r'));
  const writer = new FileWriter(disk, DATA_DIR, STREAM);
  for (let seq = 1; seq <= FILES; seq++) {
    const batch = new Batch();
    const rows = new RowWriter(batch);
    for (const key of KEYS.slice((seq - 1) * ROWS, seq * ROWS)) rows.append(ringMessage(key));
    const { firstKey, lastKey, rawBytes, rows: count } = batch;
    const label = { firstKey, lastKey, seq, rows: count, rawBytes };
    const metadata = fileMetadata({ stream: STREAM, bootId: 'boot', clock: '{}', version: '1' }, label);
    writer.write(label, quickEncoder.encode(arrowTable(batch.columns()), 'none', metadata));
  }
  return disk;
}

function openCatalog(disk: PowerDisk): Promise<Catalog> {
  const { log } = new Complaints(false, () => false);
  return Catalog.open({ dataDir: DATA_DIR, fs: promises(disk), log });
}

/** Until its end: looks what there is, and makes one file of the first two, again and again. */
async function life(disk: PowerDisk): Promise<void> {
  const room = new Room(disk, DATA_DIR, 0);
  const place = { dataDir: DATA_DIR, version: '1', fs: promises(disk), disk, room };
  const catalog = await openCatalog(disk);
  for (;;) {
    await catalog.idle();
    const files = catalog.files(STREAM).slice(0, 2);
    if (files.length < 2) return;
    const job = { stream: STREAM, compression: 'none', encrypted: false, rawBytes: 1e6, files } as const;
    const report = await merge({ ...place, encoder: quickEncoder, sealing: SEALING }, job);
    if (report.kind !== 'merged') return;
    catalog.replace(files, { ...report.file, stream: STREAM });
  }
}

/** Keys of all files that are listed, in their order. */
async function served(disk: PowerDisk): Promise<number[]> {
  const files = disk.files();
  const keys: number[] = [];
  for (const { path } of (await openCatalog(disk)).files(STREAM)) {
    keys.push(...(await readContents(path, files.get(`${DATA_DIR}/${path}`)!)).keys);
  }
  return keys;
}

test('whatever two processes come to, each message is there once', async () => {
  const merged = new Set<number>();
  for (let seed = 0; seed < SEEDS; seed++) {
    const random = generator(seed);
    let disk = recorded(random);
    for (let lives = 0; lives < 2; lives++) {
      disk = random() < 0.3 ? disk.crash() : disk.cut();
      disk.stopAt = 1 + Math.floor(random() * STEPS);
      await life(disk).catch((error: unknown) => assert.ok(disk.dead, String(error)));
    }
    const left = disk.cut();
    merged.add([...left.files().keys()].filter((path) => path.endsWith('.parquet')).length);
    assert.deepEqual(await served(left), KEYS, `seed ${seed}`);
  }
  assert.ok(merged.size > FILES, `${[...merged]}`);
});

test('what a merged file was made of is gone for good before another one is made of that', async () => {
  const disk = recorded(generator(1)).crash();
  let renames = 0;
  disk.fault = (operation) => {
    // The power is cut when the second one has its name.
    if (operation === 'rename' && ++renames === 2) disk.stopAt = disk.steps + 1;
    return null;
  };
  await life(disk);
  assert.ok(disk.dead);
  const found = new Set<number>();
  for (let i = 0; i < 200; i++) {
    const left = [...disk.cut().files()].filter(([path]) => path.endsWith('.parquet'));
    const contents = await Promise.all(left.map(([path, bytes]) => readContents(path, bytes)));
    const sources = contents.flatMap((one) => one.sources);
    const others = left.filter(([path]) => !sources.includes(basename(path)));
    const keys = others.flatMap(([path]) => contents[left.findIndex(([other]) => other === path)]!.keys);
    assert.deepEqual(keys.sort(), KEYS);
    found.add(left.length);
  }
  assert.deepEqual([...found].sort(), [3, 4]);
});
