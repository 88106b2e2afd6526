import type { RecorderContext } from './context.js';
import { DigestQueue } from './digest.js';
import type { Bed } from './doorbell.js';
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
  /** Streams that come to their end, and which request wants it; null: the stop. */
  readonly #ending = new Map<StreamRecording, number | null>();
  #stopping = false;
  #ended = false;
  #lastWork = Number.NEGATIVE_INFINITY;
  #lastWait = 0;

  constructor(context: LoopContext) {
    this.#context = context;
    this.#digests = new DigestQueue(context);
  }

  run(): void {
    this.#context.post({ kind: 'ready' });
    while (!this.#ended) this.turn();
  }

  /** Does what there is to do, or waits once. */
  turn(): void {
    const { bed, files, now, receive } = this.#context;
    const mark = bed.mark();
    for (let control = receive(); control !== undefined; control = receive()) this.#obey(control);
    files.collect();
    let worked = false;
    for (const stream of this.#streams.values()) if (stream.step()) worked = true;
    for (const [stream, id] of this.#ending) this.#end(stream, id);
    if (this.#stopping && this.#ending.size === 0) {
      this.#stop();
      return;
    }
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
      case 'noted':
        this.#streams.get(control.stream)?.noted();
        return;
      case 'wrote':
        this.#streams.get(control.stream)?.wrote(control.bytes);
        return;
      case 'hash':
        this.#digests.add(control);
        return;
      case 'stop':
        this.#stopping = true;
        this.#context.room.openReserve();
        this.#context.files.openReserve();
        for (const stream of this.#streams.values()) this.#bringToEnd(stream, null);
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
      this.#bringToEnd(stream, id);
    }
  }

  #bringToEnd(stream: StreamRecording, id: number | null): void {
    stream.end(id === null ? 'shutdown' : 'request');
    this.#ending.set(stream, id);
  }

  /** A stream goes once all of it is in files; if that fails, it stays. */
  #end(stream: StreamRecording, id: number | null): void {
    const end = stream.ended();
    if (end === null) return;
    this.#ending.delete(stream);
    if (id === null) return;
    if (end.error === null) {
      this.#streams.delete(stream.name);
      this.#context.post({ kind: 'done', id, answer: null });
    } else {
      stream.goOn();
      this.#context.post({ kind: 'undone', id, error: end.error });
    }
  }

  #stop(): void {
    const unwritten = [...this.#streams.values()]
      .map((stream) => ({ stream: stream.name, messages: stream.unwritten() }))
      .filter(({ messages }) => messages > 0);
    this.#digests.close();
    this.#context.post({ kind: 'stopped', unwritten });
    this.#ended = true;
  }
}
