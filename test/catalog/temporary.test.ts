import assert from 'node:assert/strict';
import * as files from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Catalog } from '../../src/catalog/catalog.js';
import type { CatalogFs } from '../../src/catalog/place.js';
import { DAY, dataFolder, foreignParquet, memoryLog, parquet, pathOf, put } from './parquet.js';

const FOLDER = 'streams/vehicle/date=2024-11-23';
const whole = (from: number, to: number, stream?: string) =>
  parquet({ firstKey: DAY + from, lastKey: DAY + to, ...(stream === undefined ? {} : { stream }) });
const temporary = (from: number, to: number, seq: number) => `${pathOf(DAY + from, DAY + to, seq)}.tmp`;

async function open(dataDir: string, fs: Partial<CatalogFs> = {}) {
  const log = memoryLog();
  const catalog = await Catalog.open({ dataDir, fs: { ...files, ...fs }, log });
  await catalog.load();
  const said = (pattern: RegExp) => log.lines.filter(({ message }) => pattern.test(message));
  return { catalog, said, seqs: () => catalog.files('vehicle').map(({ seq }) => seq) };
}

const onDisk = async (dataDir: string) => (await files.readdir(join(dataDir, FOLDER))).sort();

test('a whole temporary file is committed: synced, renamed, its folder synced', async (t) => {
  const dataDir = await dataFolder(t);
  await put(dataDir, pathOf(DAY, DAY + 9, 1), whole(0, 9));
  await put(dataDir, temporary(10, 19, 2), whole(10, 19));
  const steps: string[] = [];
  const { catalog, said, seqs } = await open(dataDir, {
    async open(path, flags) {
      const handle = await files.open(path, flags);
      return {
        stat: () => handle.stat(),
        read: (buffer, offset, length, position) => handle.read(buffer, offset, length, position),
        close: () => handle.close(),
        sync: () => {
          steps.push(`sync ${path.slice(dataDir.length + 1)}`);
          return handle.sync();
        },
      };
    },
    rename: (from, to) => {
      steps.push(`rename ${from.slice(dataDir.length + 1)}`);
      return files.rename(from, to);
    },
  });
  assert.deepEqual(seqs(), [1, 2]);
  assert.deepEqual(steps, [
    `sync ${temporary(10, 19, 2)}`,
    `rename ${temporary(10, 19, 2)}`,
    `sync ${FOLDER}`,
  ]);
  assert.deepEqual(await onDisk(dataDir), [
    `${DAY}~${DAY + 9}_1.parquet`,
    `${DAY + 10}~${DAY + 19}_2.parquet`,
  ]);
  assert.equal(said(/is committed now/).length, 1);
  assert.equal(catalog.nextSeq('vehicle'), 3);
  assert.equal(catalog.corrections().length, 2);
});

test('a temporary file that is torn, foreign, unnamed or already committed is removed', async (t) => {
  const dataDir = await dataFolder(t);
  await put(dataDir, pathOf(DAY, DAY + 9, 1), whole(0, 9));
  await put(dataDir, temporary(5, 12, 2), whole(5, 12));
  await put(dataDir, temporary(20, 29, 3), whole(20, 29).subarray(0, 200));
  await put(dataDir, temporary(30, 39, 4), Buffer.alloc(0));
  await put(dataDir, temporary(40, 49, 5), whole(40, 49, 'camera'));
  await put(dataDir, temporary(50, 59, 6), foreignParquet(DAY + 50, DAY + 59));
  await put(dataDir, `${FOLDER}/merge.parquet.tmp`, whole(60, 69));
  await put(dataDir, `${FOLDER}/editor.tmp`, Buffer.from('not ours'));
  const { catalog, said, seqs } = await open(dataDir);
  assert.deepEqual(seqs(), [1]);
  assert.deepEqual(await onDisk(dataDir), [`${DAY}~${DAY + 9}_1.parquet`, 'editor.tmp']);
  const reasons = said(/was removed/).map(({ fields }) => String(fields.reason).slice(0, 20));
  assert.equal(reasons.length, 6);
  assert.ok(reasons.includes('its keys are in 1732'), String(reasons));
  assert.equal(catalog.nextSeq('vehicle'), 7);
});

test('of two temporary files of one range only one is committed', async (t) => {
  const dataDir = await dataFolder(t);
  await put(dataDir, temporary(0, 9, 1), whole(0, 9));
  await put(dataDir, temporary(0, 9, 2), whole(0, 9));
  const { seqs, said } = await open(dataDir);
  assert.deepEqual(seqs(), [1]);
  assert.equal(said(/was removed/).length, 1);
});

test('a temporary file takes the place of a corrupt one of the same keys', async (t) => {
  const dataDir = await dataFolder(t);
  await put(dataDir, pathOf(DAY, DAY + 9, 1), Buffer.alloc(50));
  await put(dataDir, temporary(0, 9, 1), whole(0, 9));
  const { seqs } = await open(dataDir);
  assert.deepEqual(seqs(), [1]);
  const name = `${DAY}~${DAY + 9}_1.parquet`;
  assert.deepEqual(await onDisk(dataDir), [name, `${name}.corrupt`]);
});

test('a file that is not served is never overwritten by a temporary one', async (t) => {
  const dataDir = await dataFolder(t);
  const foreign = foreignParquet(DAY, DAY + 9);
  await put(dataDir, pathOf(DAY, DAY + 9, 1), foreign);
  await put(dataDir, temporary(0, 9, 1), whole(0, 9));
  const { seqs, said } = await open(dataDir);
  assert.deepEqual(seqs(), []);
  assert.equal(said(/name is taken/).length, 1);
  assert.deepEqual(await files.readFile(join(dataDir, pathOf(DAY, DAY + 9, 1))), foreign);
  assert.equal((await onDisk(dataDir)).length, 2);
});

test('a failing disk costs no temporary file, and is not fatal', async (t) => {
  const dataDir = await dataFolder(t);
  await put(dataDir, temporary(0, 9, 1), whole(0, 9));
  const failing = () => Promise.reject(new Error('EIO: i/o error'));
  for (const fs of [{ open: failing }, { rename: failing }]) {
    const { seqs, said } = await open(dataDir, fs);
    assert.deepEqual(seqs(), []);
    assert.equal(said(/could not be recovered/).length, 1);
    assert.equal((await onDisk(dataDir)).length, 1);
  }
  assert.deepEqual((await open(dataDir)).seqs(), [1]);
});
