import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FileReader } from '../src/query/file-reader.js';
import { allocateRing, type RingMemory } from '../src/ring/layout.js';
import { copyMessage, emptyParts, type Message } from '../src/ring/record.js';
import { lowerBound } from '../src/ring/search.js';
import { encodeSource } from '../src/ring/source.js';
import { RingWriter } from '../src/ring/writer.js';
import { DuckDb } from './duckdb.js';
import { randomOf } from './payload.js';
import { type Answer, check, type Run } from './question.js';
import { Recording } from './recording.js';
import { alternate } from './rounds.js';
import {
  checkMessages,
  clientOf,
  keyOf,
  makeRows,
  payloadOf,
  qosOf,
  type Rows,
  retainOf,
  topicOf,
} from './rows.js';
import { percentile } from './summary.js';
import { medianOf, type Row, rowOf, type Sample } from './table.js';

const MIB = 1024 * 1024;
const FOUND = 100;
const LIMIT = 20;
const RING = 'ring';
const READER = 'FileReader';
const DUCKDB = 'DuckDB';
const PLACE = 'the place of a key';
const COPIES = '100 messages from a key on';

/** Files of nearly 64 MiB raw, the most that is written at once. */
const FILES = [
  { case: '100 of 640,000 rows of 64 B, zstd', payloadBytes: 64, rows: 640_000, codec: 'zstd' },
  { case: '100 of 60,000 rows of 1 KiB, snappy', payloadBytes: 1024, rows: 60_000, codec: 'snappy' },
] as const;

/** How long it takes to find messages by their time. */
export async function search(run: Run): Promise<Answer> {
  const ringRows = await searchRing(run);
  const fileRows: Row[] = [];
  for (const file of FILES) fileRows.push(...(await searchFile(run, file)));
  const target = (what: string, unit: string, value: number) => ({
    what,
    unit,
    value,
    limit: LIMIT,
    atLeast: false,
  });
  const time = (rows: readonly Row[], kase: string, who: string) => medianOf(rowOf(rows, kase, who), 'p50');
  const metrics = (unit: string) => [
    { key: 'p50', title: `p50 ${unit}`, digits: 2 },
    { key: 'p95', title: `p95 ${unit}`, digits: 2 },
  ];
  return {
    tables: [
      {
        title: 'In a ring of 1,000,000 messages',
        metrics: metrics('µs'),
        moreIsBetter: false,
        rows: ringRows,
      },
      { title: 'In one Parquet file', metrics: metrics('ms'), moreIsBetter: false, rows: fileRows },
    ],
    targets: [
      target(`ring: ${PLACE}`, 'µs', time(ringRows, PLACE, RING)),
      ...FILES.map((file) => target(file.case, 'ms', time(fileRows, file.case, READER))),
    ],
    notes: [
      'Random places; files are in the cache of the system; every answer is compared with the rows.',
      "FileReader includes the way to its thread and back, DuckDB its values as JavaScript's.",
    ],
  };
}

async function searchRing({ quick, ...run }: Run): Promise<Row[]> {
  const rows = makeRows(quick ? 10_000 : 1_000_000, 64);
  const memory = ringOf(rows);
  const duck = await DuckDb.open();
  await duck.load(rows);
  const parts = emptyParts();
  const copies = (row: number) => {
    const from = lowerBound(memory, keyOf(row), 0, rows.count);
    return Array.from({ length: FOUND }, (_, n) => copyMessage(memory, from + n, parts));
  };
  const inMemory = `${DUCKDB}, table in memory`;
  try {
    return await alternate({ quick, ...run }, [
      { case: PLACE, who: RING, ours: true, measure: async () => places(memory, rows, quick ? 2 : 1000) },
      {
        case: COPIES,
        who: RING,
        ours: true,
        measure: () => timed(quick ? 10 : 1000, 1e3, rows, 0, (row) => copies(row)),
      },
      {
        case: COPIES,
        who: inMemory,
        ours: false,
        measure: () =>
          timed(quick ? 2 : 20, 1e3, rows, 0, (row) =>
            duck.range('rows', keyOf(row), keyOf(row + FOUND - 1)),
          ),
      },
    ]);
  } finally {
    duck.close();
  }
}

async function searchFile(run: Run, file: (typeof FILES)[number]): Promise<Row[]> {
  const rows = makeRows(run.quick ? 2000 : file.rows, file.payloadBytes);
  const folder = join(run.folder, `search-${file.payloadBytes}`);
  await mkdir(folder);
  const recording = await Recording.start(folder, file.codec, 64 * MIB);
  const { files, shift } = await recording.write(rows);
  await recording.close();
  check('files', files.length, 1);
  const path = join(folder, files[0].path);
  const reader = FileReader.start({ log: { error: () => {} } });
  const duck = await DuckDb.open();
  const queries = run.quick ? 3 : 20;
  const measure = (find: (start: number, end: number) => Promise<Found>) => () =>
    timed(queries, 1, rows, shift, (row) => find(keyOf(row) + shift, keyOf(row + FOUND - 1) + shift));
  const read = async (start: number, end: number) => {
    const found: Message[] = [];
    for await (const batch of reader.rows({ path, start, end, topic: null })) found.push(...batch);
    return found;
  };
  try {
    return await alternate(run, [
      { case: file.case, who: READER, ours: true, measure: measure(read) },
      {
        case: file.case,
        who: DUCKDB,
        ours: false,
        measure: measure((start, end) => duck.range(`'${path}'`, start, end)),
      },
    ]);
  } finally {
    await reader.close();
    duck.close();
  }
}

/** Messages, or how to get them from a peer's answer, which is not part of its time. */
type Found = readonly Message[] | (() => readonly Message[]);

/** Times for finding `FOUND` rows from a random one on; `unit`: 1 for milliseconds, 1000 for microseconds. */
export async function timed(
  count: number,
  unit: number,
  rows: Rows,
  shift: number,
  find: (row: number) => Found | Promise<Found>,
): Promise<Sample> {
  const random = randomOf(2);
  const times = [];
  for (let i = 0; i < count; i++) {
    const row = random() % (rows.count - FOUND);
    const started = performance.now();
    const found = await find(row);
    times.push((performance.now() - started) * unit);
    checkMessages(rows, row, FOUND, shift, typeof found === 'function' ? found() : found);
  }
  return { p50: percentile(times, 0.5), p95: percentile(times, 0.95) };
}

/** One look-up is too short for the clock: each time is the mean of a hundred. Microseconds. */
function places(memory: RingMemory, rows: Rows, count: number): Sample {
  const random = randomOf(3);
  const times = [];
  for (let i = 0; i < count; i++) {
    const sought = Array.from({ length: 100 }, () => random() % rows.count);
    let wrong = 0;
    const started = performance.now();
    for (const row of sought) if (lowerBound(memory, keyOf(row), 0, rows.count) !== row) wrong++;
    times.push((performance.now() - started) * 10);
    check('wrong places', wrong, 0);
  }
  return { p50: percentile(times, 0.5), p95: percentile(times, 0.95) };
}

function ringOf(rows: Rows): RingMemory {
  const memory = allocateRing(1024 * 1024, 128 * MIB);
  const ring = new RingWriter(memory);
  for (let row = 0; row < rows.count; row++) {
    const source = encodeSource(topicOf(row), clientOf(row));
    ring.append(keyOf(row), source, qosOf(row), retainOf(row), null, payloadOf(rows, row));
  }
  return memory;
}
