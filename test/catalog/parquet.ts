/** Real Parquet files for the tests of the catalogue, and a folder to keep them in. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { dateFolder, fileName, streamFolder } from '../../src/catalog/naming.js';
import type { CatalogLog } from '../../src/catalog/place.js';

/** 2024-11-23T03:06:40Z, in microseconds. */
export const DAY = 1732331200000000;
export const DAY_MICROS = 86_400_000_000;

export interface Sample {
  stream?: string;
  firstKey: number;
  lastKey: number;
  /** Bytes of the one payload that is not empty. */
  payload?: number;
  metadata?: Record<string, string | undefined>;
}

/** A whole file of two rows, at `firstKey` and `lastKey`; `metadata` overrides the recorder's. */
export function parquet({ stream = 'vehicle', firstKey, lastKey, payload = 10, metadata }: Sample): Buffer {
  const values: Record<string, string | undefined> = {
    stream,
    firstKey: String(firstKey),
    lastKey: String(lastKey),
    rows: '2',
    bootId: 'boot-1',
    clock: JSON.stringify({ corrections: [{ from: firstKey, offset: 5 }] }),
    version: '1',
    ...metadata,
  };
  const kvMetadata = Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ({ key: `mqtt-stream.${key}`, value: value! }));
  return rawParquet(firstKey, lastKey, payload, kvMetadata);
}

/** A whole file that somebody else wrote. */
export function foreignParquet(firstKey: number, lastKey: number): Buffer {
  return rawParquet(firstKey, lastKey, 10, []);
}

function rawParquet(
  first: number,
  last: number,
  payload: number,
  kvMetadata: { key: string; value: string }[],
) {
  const written = parquetWriteBuffer({
    columnData: [
      { name: 'ts', data: [BigInt(first), BigInt(last)], type: 'INT64', nullable: false },
      { name: 'topic', data: ['vehicle/speed', 'vehicle/speed'], type: 'STRING', nullable: false },
      {
        name: 'payload',
        data: [new Uint8Array(payload), new Uint8Array(0)],
        type: 'BYTE_ARRAY',
        nullable: false,
      },
    ],
    codec: 'UNCOMPRESSED',
    kvMetadata,
  });
  return Buffer.from(written);
}

/** A data folder that is removed after the test. */
export async function dataFolder(t: TestContext): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'mqtt-stream-catalog-'));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  return dataDir;
}

/** Where the file of these keys belongs, relative to the data folder. */
export function pathOf(firstKey: number, lastKey: number, seq: number, stream = 'vehicle'): string {
  return `${streamFolder(stream)}/${dateFolder(firstKey)}/${fileName(firstKey, lastKey, seq)}`;
}

export async function put(dataDir: string, path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(join(dataDir, path)), { recursive: true });
  await writeFile(join(dataDir, path), bytes);
}

/** So many whole files of one day: the first with the keys DAY to DAY + 9 and number 1, and so on. */
export async function putMany(dataDir: string, count: number): Promise<void> {
  const template = parquet({ firstKey: DAY, lastKey: DAY + 9 }).toString('latin1');
  await mkdir(join(dataDir, dirname(pathOf(DAY, DAY, 1))), { recursive: true });
  for (let i = 0; i < count; i += 1) {
    const [firstKey, lastKey] = [DAY + 10 * i, DAY + 10 * i + 9];
    // The keys have one length, so the copy differs in its metadata's digits alone.
    const copy = template.replaceAll(`${DAY + 9}`, `${lastKey}`).replaceAll(`${DAY}`, `${firstKey}`);
    await writeFile(join(dataDir, pathOf(firstKey, lastKey, i + 1)), copy, 'latin1');
  }
}

export interface Line {
  level: 'info' | 'warn' | 'error';
  fields: Record<string, unknown>;
  message: string;
}

/** A log whose lines can be looked at. */
export function memoryLog(): CatalogLog & { lines: Line[] } {
  const lines: Line[] = [];
  const at = (level: Line['level']) => (fields: object, message: string) => {
    lines.push({ level, fields: { ...fields }, message });
  };
  return { lines, info: at('info'), warn: at('warn'), error: at('error') };
}
