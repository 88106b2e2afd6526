import type { CatalogFs } from '../../src/catalog/place.js';
import type { ClockFiles } from '../../src/clock/store.js';
import type { JournalFiles } from '../../src/recorder/journal/last-key.js';
import type { GapLogsFiles } from '../../src/streams/gap-logs.js';
import { Folder } from './folder.js';
import type { PowerDisk } from './power-disk.js';

/** The part of `node:fs/promises` that the broker's thread uses, on a disk that loses power. */
export type PromisedFiles = CatalogFs & ClockFiles & GapLogsFiles;

export function promises(disk: PowerDisk): PromisedFiles {
  const files = {
    readdir: async (path: string, options?: { withFileTypes: true }) =>
      options === undefined
        ? [...disk.entries(path).keys()]
        : [...disk.entries(path)].map(([name, node]) => ({
            name,
            isFile: () => !(node instanceof Folder),
            isDirectory: () => node instanceof Folder,
          })),
    mkdir: async (path: string) => (disk.makeFolder(path) ? path : undefined),
    open: async (path: string, flags: string) => {
      const file = disk.open(path, flags as 'r' | 'w' | 'a');
      return {
        stat: async () => ({ size: disk.length(file) }),
        read: async (into: Uint8Array, offset: number, length: number, position: number) => ({
          bytesRead: disk.read(file, into.subarray(offset, offset + length), position),
        }),
        writeFile: async (text: string) => {
          const bytes = Buffer.from(text);
          for (let done = 0; done < bytes.length; ) done += disk.write(file, bytes.subarray(done));
        },
        sync: async () => disk.sync(file),
        close: async () => disk.close(file),
      };
    },
    readFile: async (path: string) => contentsOf(disk, path).toString(),
    copyFile: async (from: string, to: string) => {
      const bytes = contentsOf(disk, from);
      const file = disk.open(to, 'w');
      for (let done = 0; done < bytes.length; ) done += disk.write(file, bytes.subarray(done));
      disk.close(file);
    },
    rename: async (from: string, to: string) => disk.rename(from, to),
    unlink: async (path: string) => disk.unlink(path),
    rmdir: async (path: string) => disk.removeFolder(path),
  };
  return files as PromisedFiles;
}

/** The part that looks into journals. */
export function journalFiles(disk: PowerDisk): JournalFiles {
  return {
    readdir: async (path) => [...disk.entries(path).keys()],
    readFile: async (path) => contentsOf(disk, path),
  };
}

function contentsOf(disk: PowerDisk, path: string): Buffer {
  const file = disk.open(path, 'r');
  const bytes = Buffer.alloc(disk.length(file));
  disk.read(file, bytes, 0);
  disk.close(file);
  return bytes;
}
