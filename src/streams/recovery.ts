import type { Stream } from '../exchange/stream.js';
import type { Restored } from '../recorder/protocol.js';
import type { GapLogs } from './gap-logs.js';

/** What was found, at the start, of what the process before had not put into files. */
export interface RecoveryReport {
  /** Not all of the journal is in files yet. */
  readonly running: boolean;
  readonly messages: number;
  readonly files: number;
  /** Bytes of the journal that were no whole block. */
  readonly tornBytes: number;
  /** Messages may be missing within so many milliseconds behind the last one that is known; 0: none are. */
  readonly lostAtMostMs: number;
}

/** What the process before has left of a stream that begins: what its journal has goes into files, the rest is a gap. */
export class Recovery {
  readonly report: { -readonly [Name in keyof RecoveryReport]: RecoveryReport[Name] };
  /** All of its journal is in files. */
  readonly done: Promise<void>;
  #finish = () => {};
  readonly #stream: Stream;
  readonly #gapLogs: GapLogs;

  /** `recorded`: it may have a journal. */
  constructor(stream: Stream, gapLogs: GapLogs, recorded: boolean) {
    this.#stream = stream;
    this.#gapLogs = gapLogs;
    gapLogs.begin(stream);
    stream.recovering = recorded;
    const lostAtMostMs = gapLogs.crashMs(stream);
    this.report = { running: recorded, messages: 0, files: 0, tornBytes: 0, lostAtMostMs };
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
    if (!recorded) this.#finish();
  }

  /** True: that was the last of what the process before has left. */
  found(found: Restored): boolean {
    const { report } = this;
    const { file, torn, left } = found;
    report.messages += file?.rows ?? 0;
    report.files += file === null ? 0 : 1;
    report.tornBytes += torn;
    // What a thread of this process has left says nothing of the process before.
    if (!report.running) return false;
    this.#gapLogs.restored(this.#stream.name, found);
    if (left > 0) return false;
    this.#stream.recovering = false;
    report.running = false;
    report.lostAtMostMs = this.#gapLogs.crashMs(this.#stream);
    this.#finish();
    return true;
  }
}
