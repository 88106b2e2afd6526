import type { KeyRange } from '../clock/correction.js';
import { MqttStreamError } from '../errors.js';
import { allocateRing } from '../ring/layout.js';
import type { Source } from '../ring/source.js';
import { RingWriter } from '../ring/writer.js';
import { topicMatcher } from '../topics.js';
import { type Gap, type GapReason, Gaps } from './gaps.js';
import { GivenUp } from './given-up.js';
import type { Safety } from './safety.js';
import { StreamStats } from './stream-stats.js';

export type WhenFull = 'flush' | 'drop-oldest' | 'reject' | 'return';

export interface StreamOptions {
  readonly name: string;
  readonly topics: readonly string[];
  readonly exclude: readonly string[];
  readonly ring: { readonly messages: number; readonly bytes: number; readonly whenFull: WhenFull };
}

/** What becomes of the messages in a ring: the recorder writes them to files, or an embedder takes them. */
export interface Sink {
  /** A message was captured. On the hot path. */
  captured(): void;
  /** Empties the ring as far as it is filled now. Rejects with FLUSH_FAILED; the messages stay then. */
  flush(reason: 'request' | 'full'): Promise<unknown>;
}

/** Reads the stream as it grows. Called once for what comes in a turn, never in the middle of a message's way. */
export interface StreamFollower {
  captured(): void;
  /** Messages moved from the ring to a file, or were lost on the way. */
  written(): void;
}

const NO_SINK: Sink = { captured: () => {}, flush: () => Promise.resolve() };

/** One stream on the broker's thread: which topics it wants, its ring, what it does when that is full. */
export class Stream {
  readonly name: string;
  readonly options: StreamOptions;
  readonly ring: RingWriter;
  /** Publishers wait when this is full; with the other policies they never do, nor while the disk fails them. */
  holdsPublishers: boolean;
  /** The disk does not take what it has: nothing more is captured. */
  #stopped = false;
  sink: Sink = NO_SINK;
  readonly stats = new StreamStats();
  readonly followers = new Set<StreamFollower>();
  readonly gaps: Gaps;
  /** null: what is acknowledged is in the ring, and no more is promised. */
  safety: Safety | null = null;
  /** What a process before has left in its journal is not all in files yet: gaps of crashes may become smaller. */
  recovering = false;
  /** Messages that the recorder was shown. */
  #published = 0;
  readonly #include: ((topic: string) => boolean)[];
  readonly #exclude: ((topic: string) => boolean)[];
  /** Messages that wait for room. */
  waiting = 0;
  /** Where the ring was at the last refusal of each kind: those with nothing captured between them are one gap. */
  readonly #refusedAt = new Map<GapReason, number>();
  readonly #givenUp: GivenUp;

  constructor(options: StreamOptions, gaps = new Gaps()) {
    this.name = options.name;
    this.gaps = gaps;
    this.options = options;
    this.holdsPublishers = this.#wouldHold();
    this.ring = new RingWriter(allocateRing(options.ring.messages, options.ring.bytes));
    this.#givenUp = new GivenUp(this.ring, gaps, this.stats);
    this.#include = options.topics.map(topicMatcher);
    this.#exclude = options.exclude.map(topicMatcher);
  }

  /** Filters of what it may hold. */
  get topics(): readonly string[] {
    return this.options.topics;
  }

  wants(topic: string): boolean {
    return (
      this.#include.some((matches) => matches(topic)) && !this.#exclude.some((matches) => matches(topic))
    );
  }

  hasRoom(source: Source, propsBytes: number, payloadBytes: number): boolean {
    return (
      this.ring.fits(source, propsBytes, payloadBytes) || !this.ring.holds(source, propsBytes, payloadBytes)
    );
  }

  /** Captures a message, whose payload is `start..end` of `payload`, or counts why not. False: the policy refused it. */
  take(
    key: number,
    source: Source,
    qos: number,
    retain: boolean,
    props: Uint8Array | null,
    payload: Uint8Array,
    start = 0,
    end = payload.length,
  ): boolean {
    const { ring, stats } = this;
    if (this.#stopped) {
      stats.refused++;
      this.#refused(key, 'stopped');
      return false;
    }
    const propsBytes = props === null ? 0 : props.length;
    const payloadBytes = end - start;
    if (!ring.holds(source, propsBytes, payloadBytes)) {
      stats.tooLarge++;
      this.#refused(key, 'too-large');
      return true;
    }
    if (!ring.fits(source, propsBytes, payloadBytes)) {
      if (this.options.ring.whenFull !== 'drop-oldest') {
        stats.refused++;
        this.#refused(key, 'rejected');
        return false;
      }
      ring.makeRoom(source, propsBytes, payloadBytes, this.#givenUp.add);
    }
    ring.append(key, source, qos, retain, props, payload, start, end);
    stats.captured++;
    stats.capturedBytes += payloadBytes;
    this.sink.captured();
    return true;
  }

  /** Something was captured in this turn. */
  get unpublished(): boolean {
    return this.ring.written > this.#published;
  }

  /** Lets the recorder see what was captured in this turn. True: somebody waits until it is safe. */
  publish(): boolean {
    const { ring } = this;
    const awaited = this.safety?.endTurn(ring.written) === true;
    this.#published = ring.written;
    ring.publish(awaited);
    return awaited;
  }

  /** Messages up to sequence `upTo` are in files, the last of them with key `lastKey`. */
  committed(upTo: number, lastKey: number): void {
    this.ring.commit(upTo);
    this.gaps.settle(lastKey);
    this.safety?.reached(upTo);
    this.#givenUp.committed(upTo, lastKey);
  }

  /** The recorder has lost what it had taken over. What the ring still holds it will take again. */
  recorderLost(): void {
    this.#givenUp.lost();
  }

  /** The recorder ended, and the next one finds in its journal what was written of what it had taken over. */
  recorderReplaced(): void {
    // Who waits for one of these would be told by the next recorder that all before its own messages is safe.
    if (this.#givenUp.replaced()) this.safety?.giveUp(new MqttStreamError('CAPTURE_STOPPED', [this.name]));
  }

  gapsWithin(ranges: readonly KeyRange[]): Gap[] {
    const open = this.#givenUp
      .beingWritten()
      .filter((gap) => ranges.some(({ start, end }) => gap.start <= end && gap.end >= start));
    const gaps = this.gaps.within(ranges);
    if (this.recovering) {
      for (const [i, gap] of gaps.entries())
        if (gap.reason === 'crash') gaps[i] = { ...gap, reason: 'being-recovered' };
    }
    return [...gaps, ...open].sort((a, b) => a.start - b.start);
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Publishers do not wait for a disk that fails: what does not fit is refused. */
  letPass(): void {
    this.holdsPublishers = false;
  }

  /** Captures nothing until `resume`; who waits until something is safe is told that it is not. */
  stop(): void {
    this.letPass();
    this.#stopped = true;
    this.safety?.giveUp(new MqttStreamError('CAPTURE_STOPPED', [this.name]));
  }

  resume(): void {
    this.#stopped = false;
    this.holdsPublishers = this.#wouldHold();
  }

  #wouldHold(): boolean {
    return this.options.ring.whenFull === 'flush' || this.options.ring.whenFull === 'return';
  }

  #refused(key: number, reason: 'rejected' | 'too-large' | 'stopped'): void {
    this.gaps.add(key, reason, this.#refusedAt.get(reason) === this.ring.written);
    this.#refusedAt.set(reason, this.ring.written);
  }
}
