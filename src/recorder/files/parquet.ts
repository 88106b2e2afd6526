import { type Table, tableToIPC } from 'apache-arrow';
import {
  Compression as Codec,
  EnabledStatistics,
  Encoding,
  Table as WasmTable,
  WriterPropertiesBuilder,
  writeParquet,
} from 'parquet-wasm/node';
import { isWorthCompressing } from './saving.js';

export type Compression = 'none' | 'snappy' | 'gzip' | 'brotli' | 'zstd' | 'lz4';

/** LZ4_RAW, because the older LZ4 of Parquet has a framing of Hadoop's that most readers lack. */
const CODECS: Readonly<Record<Compression, Codec>> = {
  none: Codec.UNCOMPRESSED,
  snappy: Codec.SNAPPY,
  gzip: Codec.GZIP,
  brotli: Codec.BROTLI,
  zstd: Codec.ZSTD,
  lz4: Codec.LZ4_RAW,
};

/** A page is what a reader of a few rows has to decompress. */
const PAGE_BYTES = 128 * 1024;

/** Makes the bytes of a Parquet file. A `WebAssembly.RuntimeError` means that it cannot be used any more. */
export interface Encoder {
  encode(table: Table, compression: Compression, metadata: ReadonlyMap<string, string>): Uint8Array;
}

/** A module that replaces the encoder, named by `RecorderModules.encoder`. */
export interface EncoderModule {
  createEncoder(data: unknown): Encoder;
}

/** Whether an error has left the encoder's memory in an unknown state: a `WebAssembly.RuntimeError`. */
export function isPoison(error: unknown): boolean {
  return error instanceof Error && error.name === 'RuntimeError';
}

export const parquetEncoder: Encoder = { encode };

function encode(table: Table, compression: Compression, metadata: ReadonlyMap<string, string>): Uint8Array {
  const ipc = tableToIPC(table, 'stream');
  // Both are consumed by writeParquet, and each call on the builder consumes the builder: nothing is left to free.
  const rows = WasmTable.fromIPCStream(ipc);
  const properties = new WriterPropertiesBuilder()
    .setCreatedBy(`mqtt-stream version ${metadata.get('mqtt-stream.version') ?? ''}`)
    .setKeyValueMetadata(new Map(metadata))
    .setCompression(CODECS[compression])
    .setMaxRowGroupSize(Math.max(1, table.numRows))
    .setDataPageSizeLimit(PAGE_BYTES)
    // The size of a page is looked at once a write batch.
    .setWriteBatchSize(rowsOfPage(ipc.length / table.numRows))
    .setColumnEncoding('ts', Encoding.DELTA_BINARY_PACKED)
    .setColumnDictionaryEnabled('ts', false)
    .setColumnDictionaryEnabled('payload', false)
    .setColumnStatisticsEnabled('payload', EnabledStatistics.None)
    // A codec belongs to a column: readers need not know.
    .setColumnCompression('payload', payloadCodec(table, compression))
    .build();
  return writeParquet(rows, properties);
}

function payloadCodec(table: Table, compression: Compression): Codec {
  if (compression === 'none') return Codec.UNCOMPRESSED;
  const [payload] = table.getChild('payload')!.data;
  return isWorthCompressing(payload.values as Uint8Array) ? CODECS[compression] : Codec.UNCOMPRESSED;
}

function rowsOfPage(rowBytes: number): number {
  return Math.max(1, Math.min(1024, Math.floor(PAGE_BYTES / rowBytes)));
}
