import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FileEntry } from '../catalog/entry.js';
import type { Stream, StreamFollower } from '../exchange/stream.js';
import { decodeProperties } from '../query/outlet.js';
import { type SequenceParts, sequence } from '../query/sequence.js';
import type { Message } from '../ring/record.js';
import { lowerBound } from '../ring/search.js';
import type { Properties } from './hops.js';
import type { MissingMessages } from './missing.js';
import type { LocalMessage, Outgoing, OutgoingMessages } from './outgoing.js';
import { Progress } from './progress.js';
import type { BridgeLog } from './remote.js';
import type { Sender } from './sender.js';
import { SETTLE_MS, type Source, TURN_MESSAGES } from './source.js';
import type { BridgeTime } from './time.js';

export interface FollowerParts {
  readonly stream: Stream;
  readonly sequence: SequenceParts;
  readonly outgoing: OutgoingMessages;
  readonly sender: Sender;
  /** The other broker has all up to this key. */
  readonly position: number;
  readonly save: (position: number) => Promise<void>;
  /** Most messages sent beyond the position that is saved. */
  readonly window: number;
  readonly missing: MissingMessages;
  /** Resolves when all files of the stream are in the catalogue: what it passed over would never be sent. */
  readonly loaded: () => Promise<void>;
  /** A key of now. */
  readonly now: () => number;
  readonly time: BridgeTime;
  readonly log: BridgeLog;
}

/** Before files are looked at again that the system refused, ms. */
const RETRY_MS = 1000;

/**
 * Sends what a stream has, from the ring and from files, in the order of the keys and behind the position, and then
 * what it captures. After a lost connection it begins again behind the position.
 */
export class Follower implements Source, StreamFollower {
  readonly #parts: FollowerParts;
  readonly #progress: Progress;
  /** Counts the connections that came and went: who finds another number has to stop. */
  #epoch = 0;
  #wake: (() => void) | null = null;
  #running: Promise<void> | null = null;
  #closed = false;
  #loaded = false;
  /** Messages were captured, or written to a file, since the ring was looked at last. */
  #captured = false;
  #written = false;
  /** Files that retention took away while they were read. */
  readonly #leaving: FileEntry[] = [];
  /** Its stream could not be read: that is logged once. */
  #failing = false;

  constructor(parts: FollowerParts) {
    const { log, position, save, time, window } = parts;
    this.#parts = parts;
    this.#progress = new Progress({
      position,
      window,
      time,
      save,
      onFault: (error) => log.error({ err: error }, 'the position of the bridge could not be saved'),
      onRoom: () => this.wake(),
    });
    parts.sender.onReady = () => this.wake();
  }

  get stream(): string {
    return this.#parts.stream.name;
  }

  start(): void {
    this.#parts.stream.followers.add(this);
    const loaded = () => {
      this.#loaded = true;
      this.wake();
    };
    // If that fails, the catalogue's owner is told, and nothing is sent.
    this.#parts.loaded().then(loaded, () => {});
    this.#running = this.#run();
  }

  up(): void {
    this.wake();
  }

  down(): void {
    this.#epoch++;
    this.#progress.restart();
    for (const file of this.#leaving.splice(0)) this.#gone(file);
    this.wake();
  }

  captured(): void {
    this.#captured = true;
    this.wake();
  }

  written(): void {
    this.#written = true;
    this.wake();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#parts.stream.followers.delete(this);
    this.wake();
    await this.#running;
    await this.#parts.sender.settled(SETTLE_MS);
    await this.#progress.close();
  }

  get waiting(): number {
    return this.#progress.unsettled;
  }

  get lagSeconds(): number {
    const oldest = this.#progress.oldest ?? this.#next();
    return oldest === null ? 0 : Math.max(0, this.#parts.now() - oldest) / 1e6;
  }

  /** Something has changed that it may wait for. */
  wake(): void {
    this.#wake?.();
    this.#wake = null;
  }

  /** Files that retention took away: what was not sent of them never will be. */
  retired(files: readonly FileEntry[]): void {
    const { connected } = this.#parts.sender;
    for (const file of files) {
      // One that is being read stays until that is done.
      if (connected && file.firstKey <= this.#progress.read) this.#leaving.push(file);
      else this.#gone(file);
    }
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      if (!this.#loaded || !this.#parts.sender.connected) {
        await this.#woken();
        continue;
      }
      const epoch = this.#epoch;
      try {
        while (this.#goesOn(epoch)) await this.#follow(epoch);
      } catch (error) {
        if (this.#closed) return;
        const { log } = this.#parts;
        const say = this.#failing ? log.debug : log.error;
        this.#failing = true;
        say.call(log, { err: error }, 'the bridge cannot read its stream and tries again');
        const cancel = this.#parts.time.after(RETRY_MS, () => this.down());
        while (this.#goesOn(epoch)) await this.#woken();
        cancel();
      }
    }
  }

  async #follow(epoch: number): Promise<void> {
    this.#captured = false;
    this.#written = false;
    const whole = await this.#sendAll(epoch);
    this.#failing = false;
    while (this.#goesOn(epoch) && !this.#written && !(whole && this.#captured)) await this.#woken();
  }

  #goesOn(epoch: number): boolean {
    return epoch === this.#epoch && !this.#closed;
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Returns when nothing is left or the connection is lost; false at a gap that the next file will fill. */
  async #sendAll(epoch: number): Promise<boolean> {
    const { missing, sender, stream } = this.#parts;
    const progress = this.#progress;
    const range = { start: progress.read + 1, end: Number.MAX_SAFE_INTEGER };
    for await (const batch of sequence(this.#parts.sequence, range, null)) {
      if (!this.#goesOn(epoch)) return true;
      const keys = { start: progress.read + 1, end: batch[batch.length - 1].key };
      if (!missing.pass(stream.gapsWithin([keys]), keys)) return false;
      for (const [index, message] of batch.entries()) {
        if (index % TURN_MESSAGES === TURN_MESSAGES - 1) await nextTurn();
        const outgoing = this.#outgoing(message);
        while (this.#goesOn(epoch) && outgoing !== null && !(progress.room && sender.ready())) {
          await this.#woken();
        }
        if (!this.#goesOn(epoch)) return true;
        const { key } = message;
        if (outgoing === null) {
          progress.skip(key);
        } else {
          progress.send(key);
          sender.send(outgoing, () => progress.settle(key));
        }
      }
    }
    return true;
  }

  #gone({ firstKey, lastKey, rows }: FileEntry): void {
    const { read } = this.#progress;
    if (lastKey <= read) return;
    const start = Math.max(firstKey, read + 1);
    this.#parts.missing.tell({ start, end: lastKey, messages: rows, reason: 'retention' });
  }

  /** The key of the next message that was not looked at, about; null: there is none. */
  #next(): number | null {
    const { catalog, ring, stream } = this.#parts.sequence;
    const start = this.#progress.read + 1;
    const file = catalog.first(stream, { start, end: Number.MAX_SAFE_INTEGER });
    if (file !== undefined) return Math.max(file.firstKey, start);
    const { memory, oldest, written } = ring;
    const sequence = lowerBound(memory, start, oldest, written);
    return sequence < written ? memory.keys[sequence & memory.mask] : null;
  }

  #outgoing(message: Message): Outgoing | null {
    const { now, outgoing } = this.#parts;
    const { clientId, key, payload, qos, retain, topic } = message;
    const rule = outgoing.rule(topic, clientId);
    if (rule === null) return null;
    const kept: Properties = decodeProperties(message.properties) ?? {};
    const { messageExpiryInterval, ...properties } = kept;
    const local: LocalMessage = {
      topic,
      payload: Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength),
      qos,
      retain,
      clientId,
      properties,
      secondsLeft:
        messageExpiryInterval === undefined ? undefined : messageExpiryInterval - (now() - key) / 1e6,
    };
    // What is acknowledged is what the position stands for.
    return outgoing.of(rule, local, 1);
  }
}
