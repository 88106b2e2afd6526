/** The end of a Parquet file: what it holds, without reading it. */
import { type FileMetaData, parquetMetadata } from 'hyparquet';
import { MqttStreamError, textOf } from '../errors.js';
import { type ByteSource, StoredBytes } from '../seal/byte-source.js';
import { Keyring } from '../seal/keyring.js';
import { isSealedName } from '../seal/offered.js';
import { OpenedBytes } from '../seal/opened-bytes.js';
import { Unsound } from '../seal/unsound.js';
import { TEMP_SUFFIX } from './naming.js';
import type { CatalogFs } from './place.js';

const MAGIC = 0x31524150; // "PAR1", little endian
/** Magic, length of the footer, magic. */
const SMALLEST_FILE = 12;
/** One read gets the whole footer of nearly every file. */
const TAIL_BYTES = 16 * 1024;
/** A recorder's footer is a few KiB; decoding is synchronous, so a length made of noise must not count. */
const LARGEST_FOOTER = 4 * 1024 * 1024;
const PREFIX = 'mqtt-stream.';

export interface Footer {
  readonly rows: number;
  /** On the disk. */
  readonly bytes: number;
  /** Of its columns without compression. */
  readonly rawBytes: number;
  readonly stream: string;
  /** Microseconds since the epoch, inclusive, as `lastKey`. */
  readonly firstKey: number;
  readonly lastKey: number;
  readonly bootId: string;
  readonly clock: Readonly<Record<string, unknown>> | null;
  readonly version: string;
  /** Names of the files that it was made of; none for one that the recorder made of a ring. */
  readonly sources: readonly string[];
}

/**
 * The footer of the file at `path`, or `null` for a whole Parquet file that the recorder did not write.
 * Throws `FILE_CORRUPT` for contents that are no whole Parquet file, `KEY_MISSING` and `KEY_WRONG` for an encrypted
 * one that cannot be opened, and what `fs` throws.
 */
export async function readFooter(
  path: string,
  fs: Pick<CatalogFs, 'open'>,
  keyring = Keyring.EMPTY,
): Promise<Footer | null> {
  const handle = await fs.open(path, 'r');
  try {
    const { size } = await handle.stat();
    const sealed = isSealedName(path.endsWith(TEMP_SUFFIX) ? path.slice(0, -TEMP_SUFFIX.length) : path);
    const stored = new StoredBytes(handle, size);
    const file = sealed ? await OpenedBytes.open(stored, keyring, path) : stored;
    // Of a sealed file the frame of the end is read anyway, and that no other is missing is known.
    if (!sealed) await checkHead(file);
    return decoded(await readTail(file), file.byteLength, size);
  } catch (error) {
    if (!(error instanceof Unsound)) throw error;
    throw new MqttStreamError('FILE_CORRUPT', [path, error.message], { cause: error });
  } finally {
    await handle.close();
  }
}

const METADATA_OPTIONS = {
  geoparquet: false,
  // The default makes Dates of milliseconds.
  parsers: { timestampFromMicroseconds: (key: bigint) => key },
};

async function checkHead(file: ByteSource): Promise<void> {
  if (file.byteLength < SMALLEST_FILE) return;
  const head = await readAt(file, 0, 4);
  if (new DataView(head.buffer).getUint32(0, true) !== MAGIC)
    throw new Unsound('it does not begin with PAR1');
}

/** The last bytes of the file, at least its whole footer. */
async function readTail(file: ByteSource): Promise<Uint8Array> {
  const size = file.byteLength;
  if (size < SMALLEST_FILE) throw new Unsound(`${size} bytes are too few`);
  const tail = await readAt(file, Math.max(0, size - TAIL_BYTES), Math.min(size, TAIL_BYTES));
  const view = new DataView(tail.buffer);
  if (view.getUint32(tail.length - 4, true) !== MAGIC) throw new Unsound('it does not end with PAR1');
  const footerBytes = view.getUint32(tail.length - 8, true) + 8;
  if (footerBytes + 4 > size) throw new Unsound('its footer is longer than the file');
  if (footerBytes > LARGEST_FOOTER) throw new Unsound(`a footer of ${footerBytes} bytes is not plausible`);
  return footerBytes <= tail.length ? tail : readAt(file, size - footerBytes, footerBytes);
}

async function readAt(file: ByteSource, position: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  await file.read(bytes, position);
  return bytes;
}

/** `size`: of the Parquet file, `bytes`: of the one on the disk. */
function decoded(tail: Uint8Array, size: number, bytes: number): Footer | null {
  try {
    return describe(parquetMetadata(tail, METADATA_OPTIONS), size, bytes);
  } catch (cause) {
    throw new Unsound(textOf(cause), { cause });
  }
}

function describe(metadata: FileMetaData, size: number, bytes: number): Footer | null {
  const ours = new Map<string, string>();
  for (const { key, value } of metadata.key_value_metadata ?? []) {
    if (key.startsWith(PREFIX)) ours.set(key.slice(PREFIX.length), value ?? '');
  }
  if (ours.size === 0) return null;
  const stream = ours.get('stream');
  const firstKey = integer(ours, 'firstKey');
  const lastKey = integer(ours, 'lastKey');
  const rows = integer(ours, 'rows');
  if (stream === undefined) throw new Error('its metadata name no stream');
  if (firstKey > lastKey) throw new Error(`its first key ${firstKey} is above its last key ${lastKey}`);
  if (rows !== Number(metadata.num_rows))
    throw new Error(`it has ${metadata.num_rows} rows instead of ${rows}`);
  const rawBytes = checkGroups(metadata, size - metadata.metadata_length - 8);
  const bootId = ours.get('bootId') ?? '';
  return {
    rows,
    bytes,
    rawBytes,
    stream,
    firstKey,
    lastKey,
    bootId,
    clock: clockOf(ours),
    version: ours.get('version') ?? '',
    sources: sourcesOf(ours),
  };
}

/** Every column's bytes lie between the first magic and the footer, and the groups' rows add up. Their raw bytes. */
function checkGroups(metadata: FileMetaData, end: number): number {
  let rows = 0n;
  let rawBytes = 0;
  for (const group of metadata.row_groups) {
    rows += group.num_rows;
    for (const { meta_data: chunk } of group.columns) {
      if (chunk === undefined) throw new Error('a column has no metadata');
      const start = Number(chunk.dictionary_page_offset ?? chunk.data_page_offset);
      const inside = start >= 4 && start + Number(chunk.total_compressed_size) <= end;
      if (!inside) throw new Error('a column lies outside the file');
      rawBytes += Number(chunk.total_uncompressed_size);
    }
  }
  if (rows !== metadata.num_rows) throw new Error(`its row groups hold ${rows} rows of ${metadata.num_rows}`);
  return rawBytes;
}

function integer(ours: ReadonlyMap<string, string>, key: string): number {
  const text = ours.get(key) ?? '';
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new Error(`its metadata have no usable ${PREFIX}${key}`);
  return value;
}

/** `null` for none and for one that is not a JSON object: the messages are whole without it. */
function clockOf(ours: ReadonlyMap<string, string>): Footer['clock'] {
  const parsed = parsedOf(ours, 'clock');
  return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? { ...parsed } : null;
}

function sourcesOf(ours: ReadonlyMap<string, string>): readonly string[] {
  const parsed = parsedOf(ours, 'merged');
  return Array.isArray(parsed) ? parsed.filter((name) => typeof name === 'string') : [];
}

/** `null` for what is not there or not JSON. */
function parsedOf(ours: ReadonlyMap<string, string>, key: string): unknown {
  try {
    return JSON.parse(ours.get(key) ?? 'null');
  } catch {
    return null;
  }
}
