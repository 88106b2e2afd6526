import type { Compression } from '../src/recorder/files/parquet.js';
import type { CommittedFile } from '../src/recorder/files/writer.js';
import type { Durability, RecordedStream } from '../src/recorder/protocol.js';
import { Recorder } from '../src/recorder/recorder.js';
import { allocateRing } from '../src/ring/layout.js';
import { encodeSource, type Source } from '../src/ring/source.js';
import { RingWriter } from '../src/ring/writer.js';
import type { NamedKey } from '../src/seal/keyring.js';
import { clientOf, keyOf, payloadOf, qosOf, type Rows, retainOf, topicOf } from './rows.js';

const MIB = 1024 * 1024;
/** More than twice a file, so that a file is begun for its size, not because the ring fills. */
const RING_BYTES = 192 * MIB;
const RING_MESSAGES = 2 * 1024 * 1024;
/** Messages between two looks at what the recorder reports, as a busy broker takes them. */
const TURN = 1000;

const LOG = { info: () => {}, warn: report, error: report };

/** A ring and the recorder's thread behind it, without a broker. */
export class Recording {
  readonly folder: string;
  readonly #recorder: Recorder;
  readonly #ring = new RingWriter(allocateRing(RING_MESSAGES, RING_BYTES));
  readonly #sources = new Map<string, Source>();
  readonly #committed: { files: CommittedFile[]; room: () => void };
  /** Added to the keys, so that rows can be written again. */
  #shift = 0;

  private constructor(
    folder: string,
    recorder: Recorder,
    committed: { files: CommittedFile[]; room: () => void },
  ) {
    this.folder = folder;
    this.#recorder = recorder;
    this.#committed = committed;
  }

  /** `flushBytes`: raw size of a file; `keys`: encrypted with the first of these. */
  static async start(
    folder: string,
    compression: Compression,
    flushBytes = 48 * MIB,
    { durability = 'none', keys = [] }: { durability?: Durability; keys?: readonly NamedKey[] } = {},
  ): Promise<Recording> {
    const committed = { files: [] as CommittedFile[], room: () => {} };
    const recorder = await Recorder.start({
      dataDir: folder,
      bootId: 'bench',
      clockBase: 0,
      corrections: [],
      log: LOG,
      keys,
      onCommit: (_stream, file, upTo) => {
        committed.files.push(file);
        recording.#ring.commit(upTo);
        committed.room();
      },
    });
    const recording = new Recording(folder, recorder, committed);
    const stream: RecordedStream = {
      durability,
      syncInterval: 50,
      name: 'bench',
      flush: { every: 0, bytes: flushBytes, messages: 0, idle: 0 },
      writeBudget: { perDay: 0, stopJournal: false },
      parquet: { compression },
      encryption: { enabled: keys.length > 0 },
    };
    recorder.add(stream, recording.#ring, 0);
    return recording;
  }

  /** Writes all rows to files and returns these, with what their keys are ahead of `keyOf`. */
  async write(rows: Rows): Promise<{ files: CommittedFile[]; shift: number }> {
    const shift = this.#shift;
    this.#shift += keyOf(rows.count) - keyOf(0);
    this.#committed.files = [];
    for (let row = 0; row < rows.count; row++) {
      const source = this.#sourceOf(row);
      const payload = payloadOf(rows, row);
      while (!this.#ring.fits(source, 0, payload.length)) {
        this.#ring.publish();
        await new Promise<void>((resolve) => {
          this.#committed.room = resolve;
        });
      }
      this.#ring.append(keyOf(row) + shift, source, qosOf(row), retainOf(row), null, payload);
      if (row % TURN !== 0) continue;
      this.#ring.publish();
      this.#recorder.doorbell.ring();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await this.#recorder.flush('bench', 'request');
    return { files: this.#committed.files, shift };
  }

  async close(): Promise<void> {
    await this.#recorder.close(60_000);
  }

  #sourceOf(row: number): Source {
    const topic = topicOf(row);
    const known = this.#sources.get(topic);
    if (known !== undefined) return known;
    const source = encodeSource(topic, clientOf(row));
    this.#sources.set(topic, source);
    return source;
  }
}

function report(fields: object, text: string): void {
  process.stderr.write(`${text} ${JSON.stringify(fields)}\n`);
}
