import { createSecretKey } from 'node:crypto';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FileReader } from '../src/query/file-reader.js';
import type { Compression } from '../src/recorder/files/parquet.js';
import type { Message } from '../src/ring/record.js';
import { StoredBytes } from '../src/seal/byte-source.js';
import { Keyring, type NamedKey } from '../src/seal/keyring.js';
import { OpenedBytes } from '../src/seal/opened-bytes.js';
import { DuckDb } from './duckdb.js';
import { type Answer, check, type Run } from './question.js';
import { Recording } from './recording.js';
import { alternate, type Contender, progress } from './rounds.js';
import { keyOf, makeRows, type Rows } from './rows.js';
import { timed } from './search.js';
import { medianOf, type Row, rowOf, type Sample } from './table.js';

const KIB = 1024;
const MIB = KIB * KIB;
const PLAIN = 'plain';
const ENCRYPTED = 'encrypted';
const KEYS: readonly NamedKey[] = [{ id: 'bench', key: createSecretKey(Buffer.alloc(32, 7)) }];
/** Of the throughput without encryption. */
const LEAST = 0.85;
const FOUND = 100;
const MOST_MS = 40;

const FLOWS = [
  { case: '64 B, zstd', payloadBytes: 64, rows: 400_000, codec: 'zstd' },
  { case: '1 KiB, snappy', payloadBytes: KIB, rows: 50_000, codec: 'snappy' },
  { case: '256 KiB, none', payloadBytes: 256 * KIB, rows: 300, codec: 'none' },
] as const;

/** Files of nearly 64 MiB raw, the most that is written at once; the last one is as large on the disk. */
const FILES = [
  { case: '100 of 640,000 rows of 64 B, zstd', payloadBytes: 64, rows: 640_000, codec: 'zstd' },
  { case: '100 of 60,000 rows of 1 KiB, none', payloadBytes: KIB, rows: 60_000, codec: 'none' },
] as const;

/** What encryption costs from the ring to the file, its journal included, and from the file to the reader. */
export async function encryption(run: Run): Promise<Answer> {
  const flows: Row[] = [];
  for (const flow of FLOWS) flows.push(...(await written(run, flow)));
  const files: Row[] = [];
  for (const file of FILES) files.push(...(await found(run, file)));
  const ratio = (kase: string) =>
    medianOf(rowOf(flows, kase, ENCRYPTED), 'rate') / medianOf(rowOf(flows, kase, PLAIN), 'rate');
  return {
    tables: [
      {
        title: 'From the ring through the journal to synced Parquet files (durability process)',
        metrics: [
          { key: 'rate', title: 'rows/s', digits: 0 },
          { key: 'mb', title: 'payload MB/s', digits: 0 },
          { key: 'cpu', title: 'CPU µs/row', digits: 2 },
        ],
        moreIsBetter: true,
        rows: flows,
      },
      {
        title: 'In one Parquet file',
        metrics: [
          { key: 'p50', title: 'p50 ms', digits: 2 },
          { key: 'p95', title: 'p95 ms', digits: 2 },
        ],
        moreIsBetter: false,
        rows: files,
      },
    ],
    targets: [
      ...FLOWS.map(({ case: what }) => ({
        what: `${what}: ${ENCRYPTED} of ${PLAIN}`,
        unit: '',
        value: ratio(what),
        limit: LEAST,
        atLeast: true,
      })),
      ...FILES.map(({ case: what }) => ({
        what: `${what}, ${ENCRYPTED}`,
        unit: 'ms',
        value: medianOf(rowOf(files, what, ENCRYPTED), 'p50'),
        limit: MOST_MS,
        atLeast: false,
      })),
    ],
    notes: [
      'DuckDB has read all files back, encrypted ones after they were decrypted: count and checksum are those of the rows.',
      'Random places; files are in the cache of the system; every answer is compared with the rows.',
    ],
  };
}

interface Kind {
  readonly case: string;
  readonly payloadBytes: number;
  readonly rows: number;
  readonly codec: Compression;
}

const WAYS = [
  [PLAIN, []],
  [ENCRYPTED, KEYS],
] as const;

async function written(run: Run, flow: Kind): Promise<Row[]> {
  const rows = makeRows(run.quick ? Math.ceil(flow.rows / 500) : flow.rows, flow.payloadBytes);
  const duck = await DuckDb.open();
  const recordings: Recording[] = [];
  try {
    await duck.load(rows);
    progress(`  ${flow.case}: ${rows.count} rows\n`);
    const contenders: Contender[] = [];
    for (const [who, keys] of WAYS) {
      const folder = join(run.folder, `${flow.payloadBytes}-${who}`);
      await mkdir(folder);
      const recording = await Recording.start(folder, flow.codec, 48 * MIB, { durability: 'process', keys });
      recordings.push(recording);
      contenders.push({ case: flow.case, who, ours: true, measure: () => timedWrite(recording, rows, duck) });
    }
    return await alternate(run, contenders);
  } finally {
    for (const recording of recordings) {
      await recording.close();
      await rm(recording.folder, { recursive: true });
    }
    duck.close();
  }
}

async function timedWrite(recording: Recording, rows: Rows, duck: DuckDb): Promise<Sample> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  const { files, shift } = await recording.write(rows);
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const paths = [];
  for (const { path } of files) paths.push(await opened(join(recording.folder, path)));
  await duck.verify(paths, `epoch_us(ts) - ${shift}`);
  for (const path of paths) await rm(path);
  return {
    rate: rows.count / seconds,
    mb: rows.payloads.length / seconds / 1e6,
    cpu: (user + system) / rows.count,
  };
}

/** A file that others can read, in the place of this one. */
async function opened(path: string): Promise<string> {
  if (!path.endsWith('.enc')) return path;
  const file = await open(path);
  const source = await OpenedBytes.open(
    new StoredBytes(file, (await file.stat()).size),
    new Keyring(KEYS),
    path,
  );
  const bytes = Buffer.alloc(source.byteLength);
  await source.read(bytes, 0);
  await file.close();
  await rm(path);
  const plain = path.slice(0, -'.enc'.length);
  await writeFile(plain, bytes);
  return plain;
}

async function found(run: Run, file: Kind): Promise<Row[]> {
  const rows = makeRows(run.quick ? 2000 : file.rows, file.payloadBytes);
  const reader = FileReader.start({ log: { error: () => {} }, keys: KEYS });
  try {
    const contenders: Contender[] = [];
    for (const [who, keys] of WAYS) {
      const folder = join(run.folder, `find-${file.payloadBytes}-${who}`);
      await mkdir(folder);
      const recording = await Recording.start(folder, file.codec, 64 * MIB, { keys });
      const { files, shift } = await recording.write(rows);
      await recording.close();
      check('files', files.length, 1);
      const path = join(folder, files[0].path);
      const find = async (row: number) => {
        const messages: Message[] = [];
        const query = { path, start: keyOf(row) + shift, end: keyOf(row + FOUND - 1) + shift, topic: null };
        for await (const batch of reader.rows(query)) messages.push(...batch);
        return messages;
      };
      const measure = () => timed(run.quick ? 3 : 20, 1, rows, shift, find);
      contenders.push({ case: file.case, who, ours: true, measure });
    }
    return await alternate(run, contenders);
  } finally {
    await reader.close();
  }
}
