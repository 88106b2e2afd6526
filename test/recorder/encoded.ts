import { Batch } from '../../src/recorder/batch.js';
import { type Compression, parquetEncoder } from '../../src/recorder/files/parquet.js';
import { arrowTable } from '../../src/recorder/files/table.js';
import { allocateRing } from '../../src/ring/layout.js';
import { emptyParts, readParts } from '../../src/ring/record.js';
import { RingWriter } from '../../src/ring/writer.js';
import { append, type Sample } from '../ring/samples.js';

/** Messages as a Parquet file, by way of a ring and a batch. */
export function encoded(
  rows: readonly Sample[],
  compression: Compression,
  metadata: ReadonlyMap<string, string>,
): Uint8Array {
  const writer = new RingWriter(allocateRing(4096, 8 * 1024 * 1024));
  const batch = new Batch();
  const parts = emptyParts();
  batch.reserve(rows.length);
  for (const row of rows) {
    append(writer, row);
    readParts(writer.memory, writer.written - 1, parts);
    batch.append(writer.memory, parts);
  }
  return parquetEncoder.encode(arrowTable(batch.columns()), compression, metadata);
}
