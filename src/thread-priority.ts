import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { textOf } from './errors.js';

/**
 * Nice value of the threads that make, merge and read files. Where all cores are busy, the broker's thread then gets nine times
 * the time of one of these: it takes messages while they catch up, and on an idle core they run as fast as before.
 */
export const BACKGROUND_NICE = 10;

/** The calling thread as the system numbers it; on Linux only. Throws what the system throws. */
export function threadId(): number {
  return Number(readlinkSync('/proc/thread-self').split('/').at(-1));
}

/** Makes the calling thread yield to others. Why that did not work, or `null`; nothing happens but on Linux. */
export function yieldToOthers(nice: number): string | null {
  if (process.platform !== 'linux') return null;
  try {
    setPriority(threadId(), nice);
    return null;
  } catch (error) {
    return `the priority of a thread behind the broker's stays as it is: ${textOf(error)}`;
  }
}
