import { closeSync, fsyncSync, openSync } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type ColumnSource, parquetWriteFile } from 'hyparquet-writer';
import type { Compression } from '../src/recorder/files/parquet.js';
import { DuckDb } from './duckdb.js';
import type { Answer, Run } from './question.js';
import { Recording } from './recording.js';
import { alternate, type Contender, progress } from './rounds.js';
import { clientOf, keyOf, makeRows, payloadOf, qosOf, type Rows, retainOf, topicOf } from './rows.js';
import { medianOf, type Row, rowOf, type Sample, type Target } from './table.js';

const KIB = 1024;
const SIZES = [
  { case: '64 B', payloadBytes: 64, rows: 1_200_000 },
  { case: '1 KiB', payloadBytes: KIB, rows: 150_000 },
  { case: '256 KiB', payloadBytes: 256 * KIB, rows: 600 },
];
/** What DuckDB calls them. */
const CODECS: Readonly<Partial<Record<Compression, string>>> = {
  none: 'uncompressed',
  snappy: 'snappy',
  zstd: 'zstd',
  lz4: 'lz4_raw',
};
/** Of one row group of hyparquet-writer, at most 100,000 rows. */
const GROUP_BYTES = 64 * KIB * KIB;

/** How fast messages get from the ring into files that are synced. */
export async function pipeline(run: Run): Promise<Answer> {
  const rows: Row[] = [];
  for (const size of SIZES) {
    const duck = await DuckDb.open();
    const recordings: Recording[] = [];
    try {
      const data = makeRows(run.quick ? Math.ceil(size.rows / 500) : size.rows, size.payloadBytes);
      await duck.load(data);
      progress(`  ${size.case}: ${data.count} rows\n`);
      const contenders: Contender[] = [];
      for (const [codec, duckCodec] of Object.entries(CODECS)) {
        const folder = join(run.folder, `${size.payloadBytes}-${codec}`);
        await mkdir(folder);
        const recording = await Recording.start(folder, codec as Compression);
        recordings.push(recording);
        const path = join(folder, 'peer.parquet');
        const contender = (who: string, ours: boolean, write: () => Promise<Written>): Contender => ({
          case: size.case,
          who: `${who}, ${codec}`,
          ours,
          measure: () => measure(data, duck, write),
        });
        contenders.push(
          contender('mqtt-stream', true, () => writeOurs(recording, data)),
          contender('DuckDB', false, async () => {
            await duck.copy(path, duckCodec);
            return synced(path);
          }),
        );
        if (codec === 'none' || codec === 'snappy') {
          const columns = columnsOf(data);
          contenders.push(
            contender('hyparquet-writer', false, async () => writeColumns(path, columns, codec, data)),
          );
        }
      }
      rows.push(...(await alternate(run, contenders)));
    } finally {
      for (const recording of recordings) {
        await recording.close();
        await rm(recording.folder, { recursive: true });
      }
      duck.close();
    }
  }
  return {
    tables: [{ title: 'From the ring to synced Parquet files', metrics: METRICS, moreIsBetter: true, rows }],
    targets: targets(rows),
    notes: NOTES,
  };
}

const METRICS = [
  { key: 'rate', title: 'rows/s', digits: 0 },
  { key: 'mb', title: 'payload MB/s', digits: 0 },
  { key: 'cpu', title: 'CPU µs/row', digits: 2 },
  { key: 'size', title: 'bytes written, of payload', digits: 2 },
];

const NOTES = [
  'Ours: from the first copy into the ring, by the recorder in its thread, in files of 48 MiB raw, to the last sync.',
  'Peers have an easier task: they begin with finished columns in memory and write one file, which is then synced.',
  'DuckDB uses all cores. hyparquet-writer without other packages knows none and snappy only.',
  'DuckDB has read all files back: count and checksum over all columns are those of the rows, in every round.',
];

function targets(rows: readonly Row[]): Target[] {
  const value = (kase: string, codec: string, key: string) =>
    medianOf(rowOf(rows, kase, `mqtt-stream, ${codec}`), key);
  return [
    {
      what: '64 B, zstd',
      unit: 'rows/s',
      value: value('64 B', 'zstd', 'rate'),
      limit: 1_000_000,
      atLeast: true,
    },
    { what: '1 KiB, snappy', unit: 'MB/s', value: value('1 KiB', 'snappy', 'mb'), limit: 150, atLeast: true },
  ];
}

interface Written {
  readonly paths: readonly string[];
  /** Microseconds of column `ts`, as SQL. */
  readonly key?: string;
}

async function measure(rows: Rows, duck: DuckDb, write: () => Promise<Written>): Promise<Sample> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  const { paths, key } = await write();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  await duck.verify(paths, key);
  let bytes = 0;
  for (const path of paths) bytes += (await stat(path)).size;
  for (const path of paths) await rm(path);
  return {
    rate: rows.count / seconds,
    mb: rows.payloads.length / seconds / 1e6,
    cpu: (user + system) / rows.count,
    size: bytes / rows.payloads.length,
  };
}

async function writeOurs(recording: Recording, rows: Rows): Promise<Written> {
  const { files, shift } = await recording.write(rows);
  return { paths: files.map(({ path }) => join(recording.folder, path)), key: `epoch_us(ts) - ${shift}` };
}

/** The same rows as arrays of values. */
function columnsOf(rows: Rows): ColumnSource[] {
  const column = <T>(value: (row: number) => T) => Array.from({ length: rows.count }, (_, row) => value(row));
  const plain = { statistics: false, encoding: 'PLAIN' } as const;
  return [
    {
      name: 'ts',
      data: column((row) => BigInt(keyOf(row))),
      type: 'INT64',
      nullable: false,
      encoding: 'DELTA_BINARY_PACKED',
    },
    { name: 'topic', data: column(topicOf), type: 'STRING', nullable: false },
    { name: 'client_id', data: column(clientOf), type: 'STRING' },
    { name: 'qos', data: column(qosOf), type: 'INT32', nullable: false },
    { name: 'retain', data: column(retainOf), type: 'BOOLEAN', nullable: false },
    { name: 'properties', data: column(() => null), type: 'STRING' },
    {
      name: 'payload',
      data: column((row) => payloadOf(rows, row)),
      type: 'BYTE_ARRAY',
      nullable: false,
      ...plain,
    },
  ];
}

function writeColumns(filename: string, columnData: ColumnSource[], codec: string, rows: Rows): Written {
  parquetWriteFile({
    filename,
    columnData,
    codec: codec === 'none' ? 'UNCOMPRESSED' : 'SNAPPY',
    rowGroupSize: Math.max(1, Math.min(100_000, Math.floor(GROUP_BYTES / rows.payloadBytes))),
  });
  return { ...synced(filename), key: 'ts' };
}

/** Files of peers are on the disk, too, when their time is taken. */
function synced(path: string): Written {
  const file = openSync(path, 'r');
  fsyncSync(file);
  closeSync(file);
  return { paths: [path] };
}
