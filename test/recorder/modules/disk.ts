/** A disk for the worker that the test stalls and fills up through shared words. */
import type { Disk } from '../../../src/recorder/disk.js';
import { systemDisk } from '../../../src/recorder/disk.js';

/** 1: the next write waits until it is 0 again. */
export const STALL = 0;
/** Number of writes that are waiting. */
export const STALLED = 1;
/** 1: every write throws. */
export const FULL = 2;

export function createDisk(data: unknown): Disk {
  const { words } = data as { words: Int32Array };
  return {
    ...systemDisk,
    write(file, bytes) {
      if (Atomics.load(words, FULL) === 1) throw new Error('ENOSPC: no space left on device');
      if (Atomics.load(words, STALL) === 1) {
        Atomics.add(words, STALLED, 1);
        Atomics.notify(words, STALLED);
        Atomics.wait(words, STALL, 1);
        Atomics.sub(words, STALLED, 1);
      }
      return systemDisk.write(file, bytes);
    },
  };
}
