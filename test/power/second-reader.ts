/** DuckDB, which knows nothing of us. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type DuckDBBlobValue, DuckDBInstance } from '@duckdb/node-api';
import { messageOf, packed } from './rows.js';

export interface SecondReader {
  /** The keys in all files, ascending; throws if a row is not what was published. */
  keysIn(files: Iterable<readonly [path: string, bytes: Uint8Array]>): Promise<number[]>;
}

export async function secondReader(): Promise<SecondReader> {
  const duckdb = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
  return {
    keysIn: async (files) => {
      const folder = await mkdtemp(join(tmpdir(), 'mqtt-stream-power-'));
      try {
        for (const [path, bytes] of files) await writeFile(join(folder, basename(path, '.enc')), bytes);
        const result = await duckdb.runAndReadAll(
          `SELECT epoch_us(ts), topic, client_id, qos, retain, properties, payload FROM '${folder}/*.parquet' ORDER BY ts`,
        );
        return result.getRows().map(([ts, topic, client, qos, retain, properties, payload]) => {
          const key = Number(ts);
          const row = { topic, client, qos, retain, properties, payload: (payload as DuckDBBlobValue).bytes };
          assert.deepEqual(packed(row as Parameters<typeof packed>[0]), packed(messageOf(key)));
          return key;
        });
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  };
}
