/**
 * Where files lie and what they are called (docs: section "Files" of the interface).
 * All paths are relative to the data folder, with '/' between their parts.
 */
import { MqttStreamError } from '../errors.js';
import { SEALED_SUFFIX } from '../seal/envelope.js';

export const STREAMS_FOLDER = 'streams';
const PARQUET_SUFFIX = '.parquet';
/** A file being written is `<name>.tmp`, so that no `*.parquet` pattern sees it. */
export const TEMP_SUFFIX = '.tmp';
/** A file that cannot be read is kept as `<name>.corrupt`. */
export const CORRUPT_SUFFIX = '.corrupt';
/** What a stream is missing; beside its date folders. */
export const GAPS_FILE = 'gaps.log';

/** Beside the date folders of a stream. */
export const JOURNAL_FOLDER = 'journal';

const NUMBER = '(0|[1-9]\\d{0,15})';
const FILE_NAME = new RegExp(`^${NUMBER}~${NUMBER}_${NUMBER}\\.parquet(\\.enc)?$`);
const SEGMENT_NAME = /^(\d{10})\.journal(\.enc)?$/;
const STREAM_NAME = /^[a-z0-9_-]{1,64}$/;
const DATE_FOLDER = /^date=\d{4}-\d{2}-\d{2}$/;
// A file's name becomes part of an MQTT topic, of a URL and of a header: nothing that means something there.
const SERVED_NAME = /^[A-Za-z0-9_][A-Za-z0-9._~=-]{0,200}\.parquet(\.enc)?$/;
// An encrypted one has a suffix of its own: no `*.parquet` pattern sees it either.
const DATA_NAME = /\.parquet(\.enc)?$/;

/** What a file's name tells. Keys in microseconds since the epoch, both inclusive. */
export interface FileLabel {
  readonly firstKey: number;
  readonly lastKey: number;
  readonly seq: number;
}

export function fileName(firstKey: number, lastKey: number, seq: number, sealed = false): string {
  return `${firstKey}~${lastKey}_${seq}${PARQUET_SUFFIX}${sealed ? SEALED_SUFFIX : ''}`;
}

/** Whether the name is one of a file with messages, encrypted or not. */
export function isDataName(name: string): boolean {
  return DATA_NAME.test(name);
}

/** What a file with messages was called, or will be, before `suffix`; `null` if `name` is none of one. */
export function dataNameIn(name: string, suffix: string): string | null {
  const before = name.slice(0, -suffix.length);
  return name.endsWith(suffix) && isDataName(before) ? before : null;
}

/** `null` for every name that `fileName` would not have made. */
export function parseFileName(name: string): FileLabel | null {
  const found = FILE_NAME.exec(name);
  if (found === null) return null;
  const [firstKey, lastKey, seq] = found.slice(1).map(Number) as [number, number, number];
  const usable = Number.isSafeInteger(lastKey) && Number.isSafeInteger(seq) && firstKey <= lastKey;
  return usable ? { firstKey, lastKey, seq } : null;
}

/** Segments are numbered from 1 on. */
export function segmentName(number: number, sealed = false): string {
  return `${String(number).padStart(10, '0')}.journal${sealed ? SEALED_SUFFIX : ''}`;
}

/** `null` for every name that `segmentName` would not have made. */
export function parseSegmentName(name: string): number | null {
  const found = SEGMENT_NAME.exec(name);
  return found === null ? null : Number(found[1]);
}

/** `date=YYYY-MM-DD`, the UTC day of the key. */
export function dateFolder(firstKey: number): string {
  return `date=${new Date(Math.floor(firstKey / 1000)).toISOString().slice(0, 10)}`;
}

/** `streams/<stream>`. Throws `INTERNAL` for a name that is not a stream's: it must not become a path. */
export function streamFolder(stream: string): string {
  if (!isStreamName(stream)) throw new MqttStreamError('INTERNAL', [`"${stream}" is no stream's name`]);
  return `${STREAMS_FOLDER}/${stream}`;
}

export function isStreamName(name: string): boolean {
  return STREAM_NAME.test(name);
}

export function isDateFolder(name: string): boolean {
  return DATE_FOLDER.test(name);
}

/** Whether a file of this name may be offered to clients. */
export function isServedName(name: string): boolean {
  return SERVED_NAME.test(name);
}
