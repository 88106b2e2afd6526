import { textOf } from '../errors.js';
import type { RecorderContext } from './context.js';
import { DigestQueue } from './digest.js';
import type { Bed } from './doorbell.js';
import { isPoison } from './parquet.js';
import type { Control, Request } from './protocol.js';
import { StreamRecording } from './stream.js';

/** Longest wait that single messages do not end, while messages come. */
const NAP_MS = 10;
/** A nap brings a ring nearer to its flush by so much at most; if it fills faster than naps can be short, there is none. */
const NAP_PRESSURE = 1 / 4;
const LEAST_NAP_MS = 1;
/** Messages are expected for so long after the last one. */
const LIVELY_MS = 100;

export interface LoopContext extends RecorderContext {
  readonly bed: Bed;
  /** The next control, if there is one. */
  receive(): Control | undefined;
}

/** What the recorder's thread does: controls, rings, files, checksums, sleep. */
export class RecorderLoop {
  readonly #context: LoopContext;
  readonly #streams = new Map<string, StreamRecording>();
  readonly #digests: DigestQueue;
  #ended = false;
  #lastWork = Number.NEGATIVE_INFINITY;
  #lastWait = 0;

  constructor(context: LoopContext) {
    this.#context = context;
    this.#digests = new DigestQueue(context);
  }

  run(): void {
    this.#context.post({ kind: 'ready' });
    try {
      while (!this.#ended) this.turn();
    } catch (error) {
      if (!isPoison(error)) throw error;
      this.#context.post({ kind: 'poisoned', error: textOf(error) });
    }
  }

  /** Does what there is to do, or waits once. */
  turn(): void {
    const { bed, now, receive } = this.#context;
    const mark = bed.mark();
    for (let control = receive(); control !== undefined; control = receive()) {
      this.#obey(control);
      if (this.#ended) return;
    }
    let worked = false;
    for (const stream of this.#streams.values()) if (stream.step()) worked = true;
    if (worked) this.#lastWork = now();
    if (!worked && !this.#digests.step()) this.#wait(mark);
  }

  #wait(mark: number): void {
    const { bed, now } = this.#context;
    const time = now();
    const elapsed = time - this.#lastWait;
    let deadline = Number.POSITIVE_INFINITY;
    let pace = 0;
    for (const stream of this.#streams.values()) {
      deadline = Math.min(deadline, stream.deadline());
      pace = Math.max(pace, stream.pace());
    }
    const ms = Math.max(0, deadline - time);
    // At the pace since the last wait a ring fills by NAP_PRESSURE in so many milliseconds.
    const nap = Math.min(NAP_MS, (elapsed * NAP_PRESSURE) / pace);
    if (time - this.#lastWork < LIVELY_MS && nap >= LEAST_NAP_MS) bed.nap(mark, Math.min(nap, ms));
    else bed.sleep(mark, ms, () => this.#pending());
    this.#lastWait = now();
  }

  #pending(): boolean {
    for (const stream of this.#streams.values()) if (stream.pending()) return true;
    return false;
  }

  #obey(control: Control): void {
    switch (control.kind) {
      case 'add':
        this.#streams.set(control.stream.name, new StreamRecording(this.#context, control));
        return;
      case 'correct':
        this.#context.timeline.correct(control.corrections);
        return;
      case 'retry':
        this.#streams.get(control.stream)?.retry();
        return;
      case 'wrote':
        this.#streams.get(control.stream)?.wrote(control.bytes);
        return;
      case 'hash':
        this.#digests.add(control);
        return;
      case 'stop':
        this.#stop();
        return;
      default:
        this.#serve(control);
    }
  }

  #serve(request: Exclude<Request, { kind: 'hash' }>): void {
    const { id } = request;
    const stream = this.#streams.get(request.stream);
    if (stream === undefined) {
      this.#context.post({ kind: 'undone', id, error: 'it is not recorded any more' });
    } else if (request.kind === 'flush') {
      stream.request(id, request.reason);
    } else {
      const error = stream.finish('request');
      if (error !== null) {
        this.#context.post({ kind: 'undone', id, error });
      } else {
        this.#streams.delete(request.stream);
        this.#context.post({ kind: 'done', id, answer: null });
      }
    }
  }

  #stop(): void {
    const unwritten = [];
    this.#context.room.openReserve();
    for (const stream of this.#streams.values()) {
      stream.finish('shutdown');
      if (stream.unwritten() > 0) unwritten.push({ stream: stream.name, messages: stream.unwritten() });
    }
    this.#digests.close();
    this.#context.post({ kind: 'stopped', unwritten });
    this.#ended = true;
  }
}
