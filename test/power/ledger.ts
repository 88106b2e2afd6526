import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { type FileContents, readContents } from './rows.js';

/** Files that others were made of count only if those are not there. */
export type Counted = 'all' | 'latest';

/** What was said of messages, as those know it who were told: it survives everything. */
export class Ledger {
  /** Keys of what was captured, in the order in which they were given, of each process. */
  readonly #lives: number[][] = [];
  readonly #given = new Set<number>();
  #highest = 0;
  /** Keys that no power cut takes. */
  readonly #promised = new Set<number>();
  /** Keys that the end of a process does not take. */
  readonly #handed = new Set<number>();
  /** Keys that may be gone, since retention took them. */
  readonly #retired = new Set<number>();
  /** Keys that may be gone; then a gap tells of them. */
  readonly #yielded = new Set<number>();
  /** Keys of which others that came later may be in files first. */
  readonly #loose = new Set<number>();
  /** Retention took everything up to this key, gaps included. */
  forgotten = 0;
  /** Messages up to this key may be gone without anybody telling: a disk did not let that be written down. */
  #forgiven = 0;
  /** Messages for which a promise was made. */
  acknowledged = 0;
  /** Messages that went to make room. */
  yielded = 0;
  /** Files that are parts of others now. */
  merged = 0;
  /** Messages for which there was no promise, and that are gone. */
  lost = 0;

  get given(): number {
    return this.#given.size;
  }

  /** Another process begins. */
  begin(): void {
    this.#lives.push([]);
  }

  give(key: number): void {
    assert.ok(key > this.#highest, `key ${key} is not above ${this.#highest}, which was given before`);
    this.#highest = key;
    this.#given.add(key);
    this.#lives.at(-1)!.push(key);
  }

  promise(keys: Iterable<number>): void {
    for (const key of keys) this.#add(this.#promised, key);
  }

  hand(keys: Iterable<number>): void {
    for (const key of keys) this.#add(this.#handed, key);
  }

  #add(keys: Set<number>, key: number): void {
    if (this.#retired.has(key) || this.#yielded.has(key)) return;
    if (!this.#promised.has(key) && !this.#handed.has(key)) this.acknowledged++;
    keys.add(key);
  }

  /** What was handed to the system may be lost: the power was cut, or the disk fails. */
  unhand(): void {
    this.#handed.clear();
  }

  /** Retention takes a file: its messages may stay or go, and nobody tells of them. */
  retire(file: { readonly firstKey: number; readonly lastKey: number }): void {
    for (const key of this.#within(file)) this.#take(key, this.#retired);
    this.forgotten = Math.max(this.forgotten, file.lastKey);
  }

  /** A file goes to make room: its messages may stay or go. */
  yieldFile(file: { readonly firstKey: number; readonly lastKey: number }): void {
    this.yield(this.#within(file));
  }

  /** Messages go to make room. */
  yield(keys: Iterable<number>): void {
    for (const key of keys) {
      this.#take(key, this.#yielded);
      this.yielded++;
    }
  }

  loosen(keys: Iterable<number>): void {
    for (const key of keys) this.#loose.add(key);
  }

  /** Of earlier processes' messages some are known to be missing between others. */
  loosenEarlier(): void {
    for (const keys of this.#lives.slice(0, -1)) this.loosen(keys);
  }

  /** Nothing more is promised of these; as far as it was, others that came later may be in files first. */
  waive(keys: readonly number[]): void {
    this.loosen(keys);
    this.yield(keys.filter((key) => !this.#promised.has(key) && !this.#handed.has(key)));
  }

  /** What is missing until now nobody may tell of after the next crash. */
  forgive(): void {
    this.#forgiven = this.#highest;
  }

  #take(key: number, by: Set<number>): void {
    by.add(key);
    this.#promised.delete(key);
    this.#handed.delete(key);
  }

  *#within({ firstKey, lastKey }: { readonly firstKey: number; readonly lastKey: number }) {
    for (const keys of this.#lives) for (const key of keys) if (key >= firstKey && key <= lastKey) yield key;
  }

  /** Reads files that a user sees; the keys in them. Throws if one is not as it has to be, or a key is in two that count. */
  async inspect(files: ReadonlyMap<string, Uint8Array>, counted: Counted): Promise<Set<number>> {
    const contents = new Map<string, FileContents>();
    for (const [path, bytes] of files) {
      if (!isServed(path)) continue;
      const read = readContents(path, bytes).catch((error: unknown) => assert.fail(`${path}: ${error}`));
      contents.set(path, await read);
    }
    const found = new Map<number, string>();
    for (const [path, { keys }] of counted === 'latest' ? latest(contents) : contents) {
      for (const key of keys) {
        assert.ok(this.#given.has(key), `${path} has row ${key}, which was never given`);
        const other = found.get(key);
        assert.equal(other, undefined, `row ${key} is in ${path} and in ${other}`);
        found.set(key, path);
      }
    }
    return new Set(found.keys());
  }

  /**
   * Of files in which all is that earlier processes left: throws if a promise was not kept, or if of one process's messages
   * one is gone that came before another that is there.
   */
  expect(found: ReadonlySet<number>): void {
    for (const keys of [this.#promised, this.#handed]) {
      for (const key of keys) assert.ok(found.has(key), `row ${key} was promised and is in no file`);
    }
    for (const keys of this.#lives) {
      let missing = 0;
      for (const key of keys) {
        if (found.has(key)) assert.equal(missing, 0, `row ${key} is there, and ${missing} before it is not`);
        else if (!this.#retired.has(key) && !this.#yielded.has(key) && !this.#loose.has(key)) missing ||= key;
      }
    }
  }

  /** Keys of messages that are gone, and that retention did not take. */
  missing(found: ReadonlySet<number>): number[] {
    return [...this.#given].filter(
      (key) => key > Math.max(this.forgotten, this.#forgiven) && !found.has(key) && !this.#retired.has(key),
    );
  }

  /** At the end: what is in no file is gone. */
  settle(found: ReadonlySet<number>): void {
    for (const key of this.#given)
      if (!found.has(key) && !this.#retired.has(key) && !this.#yielded.has(key)) this.lost++;
  }
}

export function isServed(path: string): boolean {
  return path.endsWith('.parquet') || path.endsWith('.parquet.enc');
}

/** Without those that another one was made of, itself or by way of others. */
function latest(contents: ReadonlyMap<string, FileContents>): Map<string, FileContents> {
  const gone = new Set(
    [...contents].flatMap(([path, { sources }]) => sources.map((name) => join(dirname(path), name))),
  );
  return new Map([...contents].filter(([path]) => !gone.has(path)));
}
