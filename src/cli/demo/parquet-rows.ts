import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { messagesOf } from '../../query/batch.js';
import { scanFile } from '../../query/file-scan.js';
import { entryOf, type Seen } from './ledger.js';

/** The Parquet files below a folder, in the order of their first keys. */
export async function parquetFiles(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true });
  const firstKey = (path: string) => Number.parseInt(basename(path), 10);
  return found
    .filter((path) => path.endsWith('.parquet'))
    .sort((a, b) => firstKey(a) - firstKey(b))
    .map((path) => join(folder, path));
}

/** All rows of some files, one file after the other. */
export async function rowsOf(paths: readonly string[]): Promise<Seen[]> {
  const rows: Seen[] = [];
  for (const path of paths) {
    const all = { path, start: 0, end: Number.MAX_SAFE_INTEGER, topic: null };
    for await (const batch of scanFile(all, new AbortController().signal)) {
      for (const { key, topic, qos, payload, properties } of messagesOf(batch)) {
        const { contentType } = JSON.parse(properties ?? '{}') as { contentType?: string };
        rows.push({ key, ...entryOf(topic, qos, payload, contentType) });
      }
    }
  }
  return rows;
}
