import { textOf } from '../../errors.js';
import type { Disk } from '../disk.js';
import { isFull, type Room } from '../room.js';
import type { FileJob, FileOutcome } from './job.js';
import { fileMetadata } from './metadata.js';
import { type Encoder, isPoison } from './parquet.js';
import { arrowTable } from './table.js';
import { FileWriter, type Sealing } from './writer.js';

export interface MakerContext {
  readonly disk: Disk;
  readonly room: Room;
  readonly encoder: Encoder;
  readonly dataDir: string;
  readonly bootId: string;
  readonly version: string;
  readonly sealing: Sealing;
}

/** Encodes and writes the files of all streams. */
export class FileMaker {
  readonly #context: MakerContext;
  readonly #writers = new Map<string, FileWriter>();

  constructor(context: MakerContext) {
    this.#context = context;
  }

  /** Throws only what leaves the encoder unusable. */
  make(job: FileJob): FileOutcome {
    try {
      const { bootId, encoder, room, sealing, version } = this.#context;
      const { clock, columns, compression, encrypted, label, stream } = job;
      const metadata = fileMetadata({ stream, bootId, clock, version }, label);
      const bytes = encoder.encode(arrowTable(columns), compression, metadata);
      room.claim(bytes.length);
      return { file: this.#writer(stream).write(label, bytes, encrypted ? sealing : null) };
    } catch (error) {
      if (isPoison(error)) throw error;
      return { error: textOf(error), full: isFull(error) };
    }
  }

  #writer(stream: string): FileWriter {
    let writer = this.#writers.get(stream);
    if (writer === undefined) {
      const { dataDir, disk } = this.#context;
      writer = new FileWriter(disk, dataDir, stream);
      this.#writers.set(stream, writer);
    }
    return writer;
  }
}
