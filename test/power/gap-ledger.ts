import assert from 'node:assert/strict';
import type { Gap, GapReason } from '../../src/exchange/gaps.js';

/** What was said of messages that are missing: it survives everything, too. */
export class GapLedger {
  /** Counted ones that were on the disk, by start and reason. */
  readonly #saved = new Map<string, Gap>();
  /** Keys of what this process did not capture. */
  #refused: number[] = [];
  /** How often all gaps were on the disk. */
  saves = 0;

  /** Another process begins: of what the one before refused it may not know. */
  begin(): void {
    this.#refused = [];
  }

  refuse(key: number): void {
    this.#refused.push(key);
  }

  /** These are on the disk. */
  save(gaps: readonly Gap[]): void {
    this.saves++;
    for (const gap of gaps)
      if (gap.messages !== null) this.#saved.set(`${gap.start} ${gap.reason}`, { ...gap });
  }

  /** It was none after all. */
  withdraw(start: number, reason: GapReason): void {
    this.#saved.delete(`${start} ${reason}`);
  }

  /**
   * `gaps` is what is told: throws if a missing message is not among them, or a gap that was on the disk. `forgotten`: up to this
   * key nobody tells. `readable`: the disk gives back what it has; if not, a gap of unknown size stands for others.
   */
  expect(gaps: readonly Gap[], missing: readonly number[], forgotten: number, readable: boolean): void {
    for (const key of [...missing, ...this.#refused]) {
      if (key > forgotten) assert.ok(isWithin(key, gaps), `row ${key} is missing and no gap tells of it`);
    }
    for (const [id, { start, end, messages, reason }] of this.#saved) {
      if (end <= forgotten) this.#saved.delete(id);
      else if (readable || !isWithin(start, gaps)) {
        const same = gaps.find((gap) => gap.start === start && gap.reason === reason && gap.end >= end);
        const text = `the gap ${reason} of ${messages} messages from ${start} on was saved and is not told`;
        assert.ok(same !== undefined && same.messages! >= messages!, text);
      }
    }
  }
}

function isWithin(key: number, gaps: readonly Gap[]): boolean {
  return gaps.some(({ start, end }) => start <= key && key <= end);
}
