/** One file out of several, made in the thread that merges. */
import { dirname, join } from 'node:path';
import type { FileEntry } from '../catalog/entry.js';
import { type Footer, readFooter } from '../catalog/footer.js';
import type { CatalogFs } from '../catalog/place.js';
import { textOf } from '../errors.js';
import { messagesOf } from '../query/batch.js';
import { scanFile } from '../query/file-scan.js';
import { Batch } from '../recorder/batch.js';
import { type Disk, syncPath } from '../recorder/disk.js';
import { fileMetadata } from '../recorder/files/metadata.js';
import { type Encoder, isPoison } from '../recorder/files/parquet.js';
import { arrowTable } from '../recorder/files/table.js';
import { FileWriter, type Sealing } from '../recorder/files/writer.js';
import type { Room } from '../recorder/room.js';
import { isEncrypted, seqOf } from './product.js';
import type { MergeJob, MergeReport } from './protocol.js';
import { RowWriter } from './rows.js';

/** Left free besides: for files of the recorder, until those that were merged are deleted. */
const LEFT = 128 * 1024 * 1024;

export interface MergeContext {
  readonly dataDir: string;
  readonly version: string;
  /** Sources are read through it. */
  readonly fs: Pick<CatalogFs, 'open'>;
  readonly disk: Disk;
  readonly room: Room;
  readonly encoder: Encoder;
  readonly sealing: Sealing;
}

/**
 * Writes as many of the job's files as fit into one, in the way of the recorder's: with a temporary name, synced, then
 * visible. What it was made of stands in it, so that after a crash at any step either it counts or they do. Throws
 * only what leaves the encoder unusable.
 */
export async function merge(context: MergeContext, job: MergeJob): Promise<MergeReport> {
  const batch = new Batch();
  const rows = new RowWriter(batch);
  const footers: Footer[] = [];
  for (const file of job.files) {
    const mark = batch.mark();
    try {
      const footer = await readFooter(join(context.dataDir, file.path), context.fs, context.sealing.keyring);
      if (footer === null) throw new Error('it is no file of the recorder');
      if (!(await readRows(context, file, rows, () => batch.rawBytes <= job.rawBytes))) {
        batch.rollback(mark);
        break;
      }
      footers.push(footer);
    } catch (error) {
      return { kind: 'unfit', path: file.path, reason: textOf(error) };
    }
  }
  const count = footers.length;
  if (count < 2)
    return { kind: 'unfit', path: job.files[0].path, reason: 'with the next one it is too large' };
  try {
    return { kind: 'merged', file: write(context, job, batch, footers), count };
  } catch (error) {
    if (isPoison(error)) throw error;
    return { kind: 'failed', error: textOf(error) };
  }
}

/** False: with all its rows there would be more than fits. Throws for whatever is not as the catalogue has it. */
async function readRows(
  { dataDir, fs, sealing }: MergeContext,
  file: FileEntry,
  rows: RowWriter,
  fits: () => boolean,
): Promise<boolean> {
  const query = { path: join(dataDir, file.path), start: 0, end: Number.MAX_SAFE_INTEGER, topic: null };
  let count = 0;
  let first = Number.NaN;
  let last = Number.NaN;
  for await (const found of scanFile(query, new AbortController().signal, sealing.keyring, fs)) {
    if (count === 0) first = found.keys[0];
    last = found.keys[found.keys.length - 1];
    count += found.keys.length;
    for (const message of messagesOf(found)) rows.append(message);
    if (!fits()) return false;
  }
  if (count !== file.rows || first !== file.firstKey || last !== file.lastKey) {
    throw new Error(`it has ${count} rows, with keys ${first} to ${last}`);
  }
  return true;
}

function write(context: MergeContext, job: MergeJob, batch: Batch, footers: readonly Footer[]) {
  const { disk, dataDir, encoder, room, sealing, version } = context;
  const { stream, compression } = job;
  const sources = job.files.slice(0, footers.length);
  const { firstKey, lastKey, rows, rawBytes } = batch;
  const label = { firstKey, lastKey, seq: seqOf(sources), rows, rawBytes };
  const { bootId } = footers[footers.length - 1];
  const metadata = fileMetadata({ stream, bootId, clock: clockOf(footers), version }, label);
  metadata.set('mqtt-stream.merged', JSON.stringify(sources.map(({ name }) => name)));
  const bytes = encoder.encode(arrowTable(batch.columns()), compression, metadata);
  room.claim(bytes.length + LEFT);
  // What the sources were made of is deleted, and has to be so after a power cut: this file will not name it.
  syncPath(disk, join(dataDir, dirname(sources[0].path)));
  return new FileWriter(disk, dataDir, stream).write(
    label,
    bytes,
    isEncrypted(job, sources) ? sealing : null,
  );
}

/** The clock at the first key and the last one, and all corrections between, as JSON text. */
function clockOf(footers: readonly Footer[]): string {
  const clocks = footers.map(({ clock }) => clock).filter((clock) => clock !== null);
  const corrections = new Map<unknown, unknown>();
  for (const { corrections: some } of clocks) {
    if (Array.isArray(some)) for (const one of some) corrections.set(one?.from, one);
  }
  return JSON.stringify({
    open: clocks[0]?.open,
    close: clocks.at(-1)?.close,
    corrections: [...corrections.values()],
  });
}
