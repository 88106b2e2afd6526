import type { BridgeTime } from './time.js';

export interface ProgressOptions {
  /** The other broker has all up to this key. */
  readonly position: number;
  /** At most so many messages are sent beyond the position that is saved. */
  readonly window: number;
  readonly time: BridgeTime;
  /** Resolves when it would survive a crash. */
  readonly save: (position: number) => Promise<void>;
  readonly onFault: (error: unknown) => void;
  /** There is room again. */
  readonly onRoom: () => void;
}

/** A position is saved after so much time if not before because of the window, ms. */
const SAVE_AFTER_MS = 5000;

/**
 * How far a stream was read, and how far the other broker has it: up to the first message that is not acknowledged.
 * Messages are settled in any order. What is sent beyond the saved position is bounded, since it is what a restart
 * would send again.
 */
export class Progress {
  readonly #options: ProgressOptions;
  /** Sent and not settled: key and how manieth it was. Ascending. */
  readonly #open = new Map<number, number>();
  #read: number;
  #sent = 0;
  #saved: { position: number; sent: number };
  #settledSince = 0;
  #saving: Promise<void> | null = null;
  #cancel: (() => void) | null = null;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#read = options.position;
    this.#saved = { position: options.position, sent: 0 };
  }

  /** The key of the last message that was looked at. */
  get read(): number {
    return this.#read;
  }

  get position(): number {
    return this.#reached().position;
  }

  get unsettled(): number {
    return this.#open.size;
  }

  /** The first message that is sent and not settled; undefined: there is none. */
  get oldest(): number | undefined {
    for (const key of this.#open.keys()) return key;
    return undefined;
  }

  /** Whether another message may be sent. */
  get room(): boolean {
    return this.#sent - this.#saved.sent < this.#options.window;
  }

  /** Not to be sent. */
  skip(key: number): void {
    this.#read = key;
    this.#saveSoon();
  }

  send(key: number): void {
    this.#read = key;
    this.#sent++;
    this.#open.set(key, this.#sent);
  }

  settle(key: number): void {
    if (!this.#open.delete(key)) return;
    this.#settledSince++;
    if (this.#settledSince >= this.#options.window / 2) void this.save();
    else this.#saveSoon();
  }

  /** Begins again behind the position: what was sent beyond it is sent again. */
  restart(): void {
    const { position, sent } = this.#reached();
    this.#open.clear();
    this.#read = position;
    this.#sent = sent;
  }

  save(): Promise<void> {
    this.#cancel?.();
    this.#cancel = null;
    this.#saving ??= this.#save().finally(() => {
      this.#saving = null;
      if (this.#settledSince >= this.#options.window / 2) void this.save();
    });
    return this.#saving;
  }

  async close(): Promise<void> {
    await this.#saving;
    await this.save();
    this.#cancel?.();
  }

  async #save(): Promise<void> {
    const reached = this.#reached();
    this.#settledSince = 0;
    if (reached.position !== this.#saved.position) {
      // A full disk does not stop the bridge: then a restart sends more again.
      await this.#options.save(reached.position).catch(this.#options.onFault);
    }
    this.#saved = reached;
    this.#options.onRoom();
  }

  #saveSoon(): void {
    this.#cancel ??= this.#options.time.after(SAVE_AFTER_MS, () => void this.save());
  }

  #reached(): { position: number; sent: number } {
    const key = this.oldest;
    return key === undefined
      ? { position: this.#read, sent: this.#sent }
      : { position: key - 1, sent: this.#open.get(key)! - 1 };
  }
}
