import type { RingMemory } from './layout.js';

/**
 * The first sequence in `from..to` (the end excluded) whose key is at least `key`; `to` if there is none.
 * 20 steps for a million messages; keys rise strictly with the sequence.
 */
export function lowerBound(memory: RingMemory, key: number, from: number, to: number): number {
  const { keys, mask } = memory;
  let low = from;
  let high = to;
  while (low < high) {
    const middle = low + Math.floor((high - low) / 2);
    if (keys[middle & mask] < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
