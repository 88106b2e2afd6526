/** A gap as requests see it. */
export interface QueriedGap {
  readonly start: number;
  readonly reason: string;
}

/** Of messages that the next file will hold. */
const PASSING = 'being-written';

/**
 * The gaps of one answer, by their start. Those that are filled later are missing if they were open when the answer
 * came to them (`seen`); the others as they are at its end (`now`).
 */
export function gapsOfAnswer(seen: readonly QueriedGap[], now: readonly QueriedGap[]): QueriedGap[] {
  const passing = seen.filter(({ reason }) => reason === PASSING);
  // One that was seen twice has grown meanwhile.
  const byStart = new Map(passing.map((gap) => [gap.start, gap]));
  const lasting = now.filter(({ reason }) => reason !== PASSING);
  return [...byStart.values(), ...lasting].sort((a, b) => a.start - b.start);
}
