import assert from 'node:assert/strict';
import * as files from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Catalog } from '../../src/catalog/catalog.js';
import type { CatalogFs } from '../../src/catalog/place.js';
import { DAY, dataFolder, memoryLog, parquet, pathOf, put } from './parquet.js';

const FOLDER = 'streams/vehicle/date=2024-11-23';
const whole = (from: number, to: number) => parquet({ firstKey: DAY + from, lastKey: DAY + to });
const temporary = (from: number, to: number, seq: number) => `${pathOf(DAY + from, DAY + to, seq)}.tmp`;

async function open(dataDir: string, fs: Partial<CatalogFs> = {}) {
  const log = memoryLog();
  const catalog = await Catalog.open({ dataDir, fs: { ...files, ...fs }, log });
  const said = (pattern: RegExp) => log.lines.filter(({ message }) => pattern.test(message)).length;
  return { catalog, said, seqs: () => catalog.files('vehicle').map(({ seq }) => seq) };
}

const onDisk = async (dataDir: string) => (await files.readdir(join(dataDir, FOLDER))).sort();

test('a temporary file is removed, whatever is in it: nothing tells what a power cut made of it', async (t) => {
  const dataDir = await dataFolder(t);
  await put(dataDir, pathOf(DAY, DAY + 9, 1), whole(0, 9));
  await put(dataDir, temporary(10, 19, 2), whole(10, 19));
  await put(dataDir, temporary(20, 29, 3), whole(20, 29).subarray(0, 200));
  await put(dataDir, temporary(30, 39, 4), Buffer.alloc(0));
  await put(dataDir, `${FOLDER}/merge.parquet.tmp`, whole(60, 69));
  await put(dataDir, `${FOLDER}/editor.tmp`, Buffer.from('not ours'));
  const { catalog, said, seqs } = await open(dataDir);
  assert.deepEqual(seqs(), [1]);
  assert.deepEqual(await onDisk(dataDir), [`${DAY}~${DAY + 9}_1.parquet`, 'editor.tmp']);
  assert.equal(said(/was removed/), 4);
  assert.equal(catalog.nextSeq('vehicle'), 5);
});

test('one that cannot be removed is not fatal, and stays', async (t) => {
  const dataDir = await dataFolder(t);
  await put(dataDir, temporary(0, 9, 1), whole(0, 9));
  const { seqs, said } = await open(dataDir, { unlink: () => Promise.reject(new Error('EIO: i/o error')) });
  assert.deepEqual(seqs(), []);
  assert.equal(said(/could not be removed/), 1);
  assert.equal((await onDisk(dataDir)).length, 1);
});
