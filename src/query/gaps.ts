import { isPassing } from '../exchange/gaps.js';

/** A gap as requests see it. */
export interface QueriedGap {
  readonly start: number;
  readonly reason: string;
}

/**
 * The gaps of one answer, by their start. Those that are filled later are missing if they were open when the answer
 * came to them (`seen`); the others as they are at its end (`now`).
 */
export function gapsOfAnswer(seen: readonly QueriedGap[], now: readonly QueriedGap[]): QueriedGap[] {
  const passing = seen.filter(({ reason }) => isPassing(reason));
  // One that was seen twice has grown meanwhile.
  const byStart = new Map(passing.map((gap) => [gap.start, gap]));
  const lasting = now.filter(({ reason }) => !isPassing(reason));
  return [...byStart.values(), ...lasting].sort((a, b) => a.start - b.start);
}
