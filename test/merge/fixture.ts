/** Files as the recorder leaves them, and what is read out of them by others. */
import { type DuckDBBlobValue, type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { FileEntry } from '../../src/catalog/entry.js';
import { systemDisk } from '../../src/recorder/disk.js';
import { fileMetadata } from '../../src/recorder/files/metadata.js';
import type { Compression } from '../../src/recorder/files/parquet.js';
import { FileWriter } from '../../src/recorder/files/writer.js';
import { Room } from '../../src/recorder/room.js';
import type { Message } from '../../src/ring/record.js';
import { DAY } from '../catalog/parquet.js';
import { encoded } from '../recorder/encoded.js';
import { type Sample, sample, whole } from '../ring/samples.js';
import { keyringOf } from '../seal/keys.js';

export const STREAM = 'vehicle';

/** Without syncs, which cost a test most of its time. */
export const quickDisk = { ...systemDisk, sync: () => {}, syncData: () => {} };

export const anyRoom = new Room(systemDisk, '/', 0);

export interface Recorded {
  readonly seq: number;
  readonly compression?: Compression;
  readonly bootId?: string;
  readonly clock?: object;
  readonly encrypted?: boolean;
}

/** How files are encrypted. */
export const SEALING = { keyring: keyringOf('a'), sentOpen: false };

/** A file of these rows, as the recorder would have written it. */
export function record(dataDir: string, rows: readonly Sample[], of: Recorded): FileEntry {
  const [firstKey, lastKey] = [rows[0]!.message.key, rows.at(-1)!.message.key];
  const rawBytes = rows.reduce((sum, { message }) => sum + 28 + message.payload.length, 0);
  const label = { firstKey, lastKey, seq: of.seq, rows: rows.length, rawBytes };
  const clock = of.clock ?? { open: { key: firstKey }, close: { key: lastKey }, corrections: [] };
  const origin = {
    stream: STREAM,
    bootId: of.bootId ?? 'boot-1',
    clock: JSON.stringify(clock),
    version: '1',
  };
  const bytes = encoded(rows, of.compression ?? 'zstd', fileMetadata(origin, label));
  return {
    ...new FileWriter(quickDisk, dataDir, STREAM).write(label, bytes, of.encrypted ? SEALING : null),
    stream: STREAM,
  };
}

/** `files` lists of `rows` rows each, with rising keys from `from` on. */
export function samples(
  random: () => number,
  files: number,
  rows = 5,
  from = DAY,
  payloadBytes = 40,
): readonly (readonly Sample[])[] {
  let key = from;
  return Array.from({ length: files }, () =>
    Array.from({ length: rows }, () => {
      key += whole(random, 1, 1000);
      return sample(random, key, whole(random, 0, payloadBytes));
    }),
  );
}

export function messagesOf(lists: readonly (readonly Sample[])[]): Message[] {
  return lists.flat().map(({ message }) => ({ ...message, payload: Buffer.from(message.payload) }));
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** What DuckDB reads, in the order in which it lies there. */
export async function duckMessages(paths: readonly string[]): Promise<Message[]> {
  const duck = await connected();
  const list = paths.map((path) => `'${path}'`).join(', ');
  const result = await duck.runAndReadAll(
    `SELECT epoch_us(ts), encode(topic), encode(client_id), qos, retain, properties, payload FROM read_parquet([${list}])`,
  );
  return result.getRows().map(([key, topic, clientId, qos, retain, properties, payload]) => ({
    key: Number(key),
    topic: decoder.decode((topic as DuckDBBlobValue).bytes),
    clientId: clientId === null ? null : decoder.decode((clientId as DuckDBBlobValue).bytes),
    qos: qos as 0 | 1 | 2,
    retain: retain as boolean,
    properties: properties as string | null,
    payload: Buffer.from((payload as DuckDBBlobValue).bytes),
  }));
}

let duckdb: Promise<DuckDBConnection> | null = null;

export function connected(): Promise<DuckDBConnection> {
  duckdb ??= DuckDBInstance.create(':memory:', { threads: '1' }).then((instance) => instance.connect());
  return duckdb;
}
