import type { KeyRange } from '../catalog/entry.js';
import { isPassing } from '../exchange/gaps.js';
import type { BridgeLog } from './remote.js';
import type { BridgeStats } from './stats.js';

/** Messages that a stream is missing; the number is not always known. */
export interface Missing {
  readonly start: number;
  readonly end: number;
  readonly messages: number | null;
  readonly reason: string;
}

/** Tells of every gap in what is sent, once. */
export class MissingMessages {
  readonly #stats: BridgeStats;
  readonly #log: BridgeLog;
  /** By their start, how much was told of the gaps of late: the last one may grow. */
  #told = new Map<number, number>();

  constructor(stats: BridgeStats, log: BridgeLog) {
    this.#stats = stats;
    this.#log = log;
  }

  /** The gaps of the keys that come next. False: some of their messages will be in a file, wait for it. */
  pass(gaps: readonly Missing[], keys: KeyRange): boolean {
    if (gaps.some(({ reason }) => isPassing(reason))) return false;
    if (gaps.length === 0) return true;
    const told = new Map<number, number>();
    for (const gap of gaps) {
      const before = this.#told.get(gap.start);
      const messages = gap.messages ?? 0;
      told.set(gap.start, messages);
      if (before !== undefined && before >= messages) continue;
      this.tell({
        ...gap,
        start: Math.max(gap.start, keys.start),
        end: Math.min(gap.end, keys.end),
        messages: gap.messages === null ? null : messages - (before ?? 0),
      });
    }
    this.#told = told;
    return true;
  }

  tell(gap: Missing): void {
    this.#stats.gaps++;
    this.#stats.missed += gap.messages ?? 0;
    this.#log.warn({ ...gap }, 'messages are missing in what the bridge sends');
  }
}
