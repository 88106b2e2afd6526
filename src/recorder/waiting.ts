import type { CommittedFile } from './files/writer.js';
import type { FlushReason, Report } from './protocol.js';

interface WaitingFlush {
  readonly id: number;
  readonly reason: FlushReason;
  /** Answered once all messages before this sequence are in files. */
  readonly target: number;
  file: CommittedFile | null;
}

/** The flush requests of one stream, oldest first: their targets ascend. */
export class WaitingFlushes {
  readonly #post: (report: Report) => void;
  #waiting: WaitingFlush[] = [];

  constructor(post: (report: Report) => void) {
    this.#post = post;
  }

  add(id: number, reason: FlushReason, target: number): void {
    this.#waiting.push({ id, reason, target, file: null });
  }

  /** The reason of the oldest, if all it wants is taken. */
  due(position: number): FlushReason | null {
    const [oldest] = this.#waiting;
    return oldest !== undefined && oldest.target <= position ? oldest.reason : null;
  }

  committed(file: CommittedFile): void {
    for (const waiting of this.#waiting) waiting.file = file;
  }

  /** All messages before `position` are in files or were dropped. */
  answer(position: number): void {
    while (this.due(position) !== null) {
      const { id, file } = this.#waiting.shift()!;
      this.#post({ kind: 'done', id, answer: file });
    }
  }

  fail(error: string): void {
    for (const { id } of this.#waiting) this.#post({ kind: 'undone', id, error });
    this.#waiting = [];
  }
}
