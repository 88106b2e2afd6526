/** A disk for the worker that the test stalls and fills up through shared words. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Disk } from '../../../src/recorder/disk.js';
import { systemDisk } from '../../../src/recorder/disk.js';

/** 1: the next write of a Parquet file waits until it is 0 again. */
export const STALL = 0;
/** Number of writes that are waiting. */
export const STALLED = 1;
/** 1: every write throws. */
export const FULL = 2;
/** Bytes that all files together may have; 0: no limit. */
export const CAPACITY = 4;

export function createDisk(data: unknown): Disk {
  const { words } = data as { words: Int32Array };
  const files = new Set<number>();
  return {
    ...systemDisk,
    open(path, mode) {
      const file = systemDisk.open(path, mode);
      if (path.includes('.parquet')) files.add(file);
      else files.delete(file);
      return file;
    },
    write(file, bytes) {
      if (Atomics.load(words, FULL) === 1) {
        throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
      }
      if (files.has(file) && Atomics.load(words, STALL) === 1) {
        Atomics.add(words, STALLED, 1);
        Atomics.notify(words, STALLED);
        Atomics.wait(words, STALL, 1);
        Atomics.sub(words, STALLED, 1);
      }
      return systemDisk.write(file, bytes);
    },
    free(path) {
      const capacity = Atomics.load(words, CAPACITY);
      return capacity === 0 ? systemDisk.free(path) : capacity - bytesIn(join(path, 'streams'));
    },
  };
}

/** Of files that may be deleted meanwhile, and folders with them. */
export function bytesIn(folder: string): number {
  if (!existsSync(folder)) return 0;
  try {
    let bytes = 0;
    for (const name of readdirSync(folder, { recursive: true }) as string[]) {
      const found = statSync(join(folder, name), { throwIfNoEntry: false });
      if (found?.isFile() === true) bytes += found.size;
    }
    return bytes;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return bytesIn(folder);
    throw error;
  }
}
