import type { RingWriter } from '../ring/writer.js';
import type { Gap, Gaps } from './gaps.js';
import type { StreamStats } from './stream-stats.js';

/** Messages that follow each other in the ring: their sequences and keys, the last one included. */
interface Run {
  from: number;
  to: number;
  start: number;
  end: number;
}

/** What a full ring gave up to have room: lost at once, or, if the recorder had taken it over, when the recorder is. */
export class GivenUp {
  readonly #ring: RingWriter;
  readonly #gaps: Gaps;
  readonly #stats: StreamStats;
  /** The message given up last, and whether the recorder had taken it over. */
  #last = Number.NaN;
  #lastTaken = false;
  /** Overwritten, but the recorder has them. Ascending. */
  #beingWritten: Run[] = [];

  constructor(ring: RingWriter, gaps: Gaps, stats: StreamStats) {
    this.#ring = ring;
    this.#gaps = gaps;
    this.#stats = stats;
  }

  /** For `RingWriter.makeRoom`. */
  readonly add = (key: number, taken: boolean): void => {
    // The ring has moved on behind it.
    const sequence = this.#ring.reusable - 1;
    const follows = sequence === this.#last + 1 && taken === this.#lastTaken;
    this.#last = sequence;
    this.#lastTaken = taken;
    const run = this.#beingWritten.at(-1);
    if (!taken) {
      this.#stats.dropped++;
      this.#gaps.add(key, 'dropped', follows);
    } else if (follows && run !== undefined) {
      run.to = sequence;
      run.end = key;
    } else {
      this.#beingWritten.push({ from: sequence, to: sequence, start: key, end: key });
    }
  };

  /** Messages up to sequence `upTo` are in files, the last of them with key `lastKey`. */
  committed(upTo: number, lastKey: number): void {
    this.#beingWritten = this.#beingWritten.filter(({ to }) => to >= upTo);
    const [first] = this.#beingWritten;
    if (first === undefined || first.from >= upTo) return;
    first.from = upTo;
    first.start = lastKey + 1;
  }

  /** The recorder has lost what it had taken over. */
  lost(): void {
    for (const run of this.#beingWritten) {
      this.#stats.dropped += countOf(run);
      this.#gaps.insert(gapOf(run, 'lost'));
    }
    this.#beingWritten = [];
  }

  /**
   * The recorder ended. What it had taken over is in its journal, as far as that was written: nobody knows of which messages
   * that is true. False: there are none.
   */
  replaced(): boolean {
    const runs = this.#beingWritten;
    this.#beingWritten = [];
    for (const { start, end } of runs) this.#gaps.insert({ start, end, messages: null, reason: 'unknown' });
    return runs.length > 0;
  }

  /** What the recorder has, and nobody else. */
  beingWritten(): Gap[] {
    return this.#beingWritten.map((run) => gapOf(run, 'being-written'));
  }
}

function gapOf(run: Run, reason: Gap['reason']): Gap {
  return { start: run.start, end: run.end, messages: countOf(run), reason };
}

function countOf({ from, to }: Run): number {
  return to + 1 - from;
}
