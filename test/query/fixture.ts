/** Parquet files as the recorder makes them (interface, section 5), and random messages for them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  Binary,
  Bool,
  type Data,
  Field,
  Int32,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  TimestampMicrosecond,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import {
  Compression,
  EnabledStatistics,
  Encoding,
  Table as WasmTable,
  WriterPropertiesBuilder,
  WriterVersion,
  writeParquet,
} from 'parquet-wasm';
import type { Message } from '../../src/ring/record.js';

export interface FileShape {
  readonly compression?: Compression;
  readonly rowGroupRows?: number;
  readonly pageBytes?: number;
  readonly version?: WriterVersion;
}

const SCHEMA = new Schema([
  new Field('ts', new TimestampMicrosecond('UTC'), false),
  new Field('topic', new Utf8(), false),
  new Field('client_id', new Utf8(), true),
  new Field('qos', new Int32(), false),
  new Field('retain', new Bool(), false),
  new Field('properties', new Utf8(), true),
  new Field('payload', new Binary(), false),
]);

/** The bytes of a file that holds `rows`. */
export function parquetBytes(rows: readonly Message[], shape: FileShape = {}): Uint8Array {
  const properties = new WriterPropertiesBuilder()
    .setCompression(shape.compression ?? Compression.ZSTD)
    .setWriterVersion(shape.version ?? WriterVersion.V1)
    .setColumnDictionaryEnabled('ts', false)
    .setColumnEncoding('ts', Encoding.DELTA_BINARY_PACKED)
    .setColumnDictionaryEnabled('payload', false)
    .setColumnStatisticsEnabled('payload', EnabledStatistics.None)
    .setDataPageSizeLimit(shape.pageBytes ?? 1024 * 1024)
    .setMaxRowGroupSize(shape.rowGroupRows ?? 1_000_000)
    .build();
  return writeParquet(WasmTable.fromIPCStream(tableToIPC(arrowTable(rows), 'stream')), properties);
}

export async function writeRows(path: string, rows: readonly Message[], shape?: FileShape): Promise<void> {
  await writeFile(path, parquetBytes(rows, shape));
}

function arrowTable(rows: readonly Message[]): Table {
  const keys = makeData({
    type: new TimestampMicrosecond('UTC'),
    length: rows.length,
    data: BigInt64Array.from(rows, ({ key }) => BigInt(key)),
  });
  const column = (type: Utf8 | Int32 | Bool, values: unknown[]): Data =>
    vectorFromArray(values, type).data[0]!;
  const children = [
    keys,
    column(
      new Utf8(),
      rows.map((row) => row.topic),
    ),
    column(
      new Utf8(),
      rows.map((row) => row.clientId),
    ),
    column(
      new Int32(),
      rows.map((row) => row.qos),
    ),
    column(
      new Bool(),
      rows.map((row) => row.retain),
    ),
    column(
      new Utf8(),
      rows.map((row) => row.properties),
    ),
    payloads(rows),
  ];
  const data = makeData({ type: new Struct(SCHEMA.fields), length: rows.length, children });
  return new Table(SCHEMA, [new RecordBatch(SCHEMA, data)]);
}

function payloads(rows: readonly Message[]): Data {
  const valueOffsets = new Int32Array(rows.length + 1);
  rows.forEach((row, i) => {
    valueOffsets[i + 1] = valueOffsets[i]! + row.payload.length;
  });
  const data = new Uint8Array(valueOffsets[rows.length]!);
  rows.forEach((row, i) => {
    data.set(row.payload, valueOffsets[i]);
  });
  return makeData({ type: new Binary(), length: rows.length, valueOffsets, data });
}

/** A generator of numbers in [0, 1) that always gives the same ones for a seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const FIRST_KEY = 1_732_330_000_000_000;

export interface MessageShape {
  readonly maxPayload?: number;
  readonly topics?: readonly string[];
  /** Largest distance of two keys, in microseconds. */
  readonly maxStep?: number;
}

/** `count` messages with ascending keys from `FIRST_KEY` on. */
export function randomMessages(seed: number, count: number, shape: MessageShape = {}): Message[] {
  const random = randomOf(seed);
  const upTo = (limit: number) => Math.floor(random() * limit);
  const topics = shape.topics ?? ['vehicle/can/1', 'vehicle/can/2', 'vehicle/gps', 'log', '\ufeffbom/ü'];
  let key = FIRST_KEY;
  return Array.from({ length: count }, () => {
    const payload = new Uint8Array(random() < 0.1 ? 0 : upTo(shape.maxPayload ?? 40));
    for (let i = 0; i < payload.length; i++) payload[i] = i < 200 ? upTo(256) : i & 255;
    const message: Message = {
      key,
      topic: topics[upTo(topics.length)]!,
      clientId: random() < 0.2 ? null : `client-${upTo(5)}`,
      qos: upTo(3) as 0 | 1 | 2,
      retain: random() < 0.5,
      properties: random() < 0.7 ? null : JSON.stringify({ userProperties: { n: String(upTo(1000)) } }),
      payload,
    };
    key += 1 + upTo(shape.maxStep ?? 5);
    return message;
  });
}

export async function tempFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mqtt-stream-query-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
