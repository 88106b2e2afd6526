import type { Clock } from './clock.js';

/**
 * - `trusted`: the wall clock shows a time that can be
 * - `doubtful`: it was not right since the machine was started; when it is set, what was since then gets its time anew
 * - `wrong`: it was right and shows a time that cannot be, which is not followed
 */
export type ClockState = 'trusted' | 'doubtful' | 'wrong';

/** What is told of the clock below `$SYS/broker/`, as of now. */
export function clockFigures(clock: Clock): readonly (readonly [topic: string, text: string])[] {
  // Nobody may have looked at the clocks for a while.
  clock.wallNow();
  const state: ClockState = clock.plausible ? 'trusted' : clock.doubtful ? 'doubtful' : 'wrong';
  return [
    ['clock/state', state],
    ['clock/offset', (clock.offset / 1e6).toFixed(6)],
    ['clock/corrections', String(clock.corrections.length - 1)],
  ];
}
