import assert from 'node:assert/strict';
import { readKeys } from './rows.js';

/** What was said of messages, as those know it who were told: it survives everything. */
export class Ledger {
  /** Keys in the order in which they were given, of each process. */
  readonly #lives: number[][] = [];
  readonly #given = new Set<number>();
  #highest = 0;
  /** Keys that no power cut takes. */
  readonly #promised = new Set<number>();
  /** Keys that the end of a process does not take. */
  readonly #handed = new Set<number>();
  /** Keys that may be gone, since retention took them. */
  readonly #retired = new Set<number>();
  /** Messages for which a promise was made. */
  acknowledged = 0;
  /** Messages for which there was none, and that are gone. */
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
    for (const key of keys) if (!this.#retired.has(key)) this.#add(this.#promised, key);
  }

  hand(keys: Iterable<number>): void {
    for (const key of keys) if (!this.#retired.has(key)) this.#add(this.#handed, key);
  }

  #add(keys: Set<number>, key: number): void {
    if (!this.#promised.has(key) && !this.#handed.has(key)) this.acknowledged++;
    keys.add(key);
  }

  /** What was handed to the system may be lost: the power was cut, or the disk fails. */
  unhand(): void {
    this.#handed.clear();
  }

  /** Retention takes a file with these keys: it may stay or go. */
  retire({ firstKey, lastKey }: { readonly firstKey: number; readonly lastKey: number }): void {
    for (const keys of this.#lives) {
      for (const key of keys) if (key >= firstKey && key <= lastKey) this.#retired.add(key);
    }
    for (const keys of [this.#promised, this.#handed]) {
      for (const key of keys) if (key >= firstKey && key <= lastKey) keys.delete(key);
    }
  }

  /** Reads all files that a user sees; the keys in them. Throws if one is not as it has to be, or a key is in two. */
  async inspect(files: ReadonlyMap<string, Uint8Array>): Promise<Set<number>> {
    const found = new Map<number, string>();
    for (const [path, bytes] of files) {
      if (!path.endsWith('.parquet')) continue;
      const keys = await readKeys(bytes).catch((error: unknown) => assert.fail(`${path}: ${error}`));
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
        else if (!this.#retired.has(key)) missing ||= key;
      }
    }
  }

  /** Of earlier processes' messages some are known to be missing between others: nobody relies on their order any more. */
  tellMissing(): void {
    this.#lives.splice(0, this.#lives.length - 1);
  }

  /** At the end: what is in no file is gone. */
  settle(found: ReadonlySet<number>): void {
    for (const key of this.#given) if (!found.has(key) && !this.#retired.has(key)) this.lost++;
  }
}
