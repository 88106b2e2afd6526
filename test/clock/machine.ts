import { join } from 'node:path';
import { type ClockFiles, ClockStore, type KnownKeys } from '../../src/clock/store.js';
import type { TimeSource } from '../../src/clock/time.js';

export const SECOND = 1_000_000;
export const HOUR = 3600 * SECOND;
export const DAY = 24 * HOUR;
/** 2024-11-23, microseconds. */
export const TODAY = 1_732_320_000 * SECOND;

/** A machine's clocks, moved by hand. Microseconds. */
export class FakeTime implements TimeSource {
  now: number;
  uptime: number;
  #boot = 1;

  constructor(now = TODAY, uptime = 12_345_678.25) {
    this.now = now;
    this.uptime = uptime;
  }

  wall(): number {
    return this.now;
  }

  monotonic(): number {
    return this.uptime;
  }

  get bootId(): string {
    return `boot-${this.#boot}`;
  }

  advance(micros: number): void {
    this.now += micros;
    this.uptime += micros;
  }

  step(micros: number): void {
    this.now += micros;
  }

  /** Time goes on by `micros`, and the wall clock meanwhile by `gained` more. */
  slew(micros: number, gained: number): void {
    this.advance(micros);
    this.now += gained;
  }

  /** The machine sleeps: its monotonic time stands still. */
  suspend(micros: number): void {
    this.now += micros;
  }

  /** The machine starts again after `micros`; its wall clock has gone on. */
  reboot(micros: number): void {
    this.now += micros;
    this.uptime = SECOND;
    this.#boot++;
  }
}

export type Operation = 'readFile' | 'open' | 'writeFile' | 'sync' | 'close' | 'rename';

/** Files in memory. `log` has what was done, in order; `fail` makes the next such operation fail. */
export class FakeFiles implements ClockFiles {
  readonly contents = new Map<string, string>();
  readonly log: string[] = [];
  fail: Operation | null = null;
  failCode = 'EIO';
  opened = 0;

  async readFile(path: string): Promise<string> {
    await this.#do('readFile', path);
    const text = this.contents.get(path);
    if (text === undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
    return text;
  }

  async open(path: string, flags: string, mode?: number) {
    await this.#do('open', `${path} ${flags} ${mode?.toString(8)}`);
    if (flags !== 'r') this.contents.set(path, '');
    this.opened++;
    return {
      writeFile: async (text: string) => {
        // A failed write leaves a part of it.
        this.contents.set(path, text.slice(0, text.length / 2));
        await this.#do('writeFile', path);
        this.contents.set(path, text);
      },
      sync: () => this.#do('sync', path),
      close: async () => {
        this.opened--;
        await this.#do('close', path);
      },
    };
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#do('rename', `${from} ${to}`);
    this.contents.set(to, this.contents.get(from)!);
    this.contents.delete(from);
  }

  async #do(operation: Operation, what: string): Promise<void> {
    this.log.push(`${operation} ${what}`);
    await Promise.resolve();
    if (this.fail !== operation) return;
    this.fail = null;
    throw Object.assign(new Error(`${this.failCode}: ${operation} failed`), { code: this.failCode });
  }
}

export const NOTHING: KnownKeys = { maxKey: 0, journalKey: async () => 0, corrections: () => [] };
/** Where the state of the clock of `/data` is. */
export const PATH = join('/data', 'clock.json');

/** Opens the clock of `/data`; `warnings` are what it logged. */
export async function open(time: FakeTime, files: FakeFiles, known: Partial<KnownKeys> = {}) {
  const warnings: object[] = [];
  const log = { warn: (what: object) => warnings.push(what) };
  return { ...(await ClockStore.open('/data', time, files, { ...NOTHING, ...known }, log)), warnings };
}

export function stateOf(files: FakeFiles) {
  return JSON.parse(files.contents.get(PATH)!);
}
