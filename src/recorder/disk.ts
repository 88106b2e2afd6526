import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';

/** What the recorder does to the file system, synchronously. Paths are absolute; all calls throw as `node:fs` does. */
export interface Disk {
  /** Makes a folder with its parents. True if one was made, false if all were there. */
  makeFolder(path: string): boolean;
  /** The names of what is in a folder; none if there is no such folder. */
  list(path: string): string[];
  /** Opens for reading (also a folder, to sync it), or for writing from the start. */
  open(path: string, mode: 'r' | 'w'): number;
  /** Reads from `position` on; 0 at the end of the file. */
  read(file: number, into: Uint8Array, position: number): number;
  /** Appends; the number of bytes taken, which may be fewer. */
  write(file: number, bytes: Uint8Array): number;
  sync(file: number): void;
  /** The file's bytes and its length, without its times: cheaper than `sync`. */
  syncData(file: number): void;
  close(file: number): void;
  rename(from: string, to: string): void;
  /** Removes a file; nothing happens if there is none. */
  remove(path: string): void;
  /** Bytes that may be written to the file system of a folder; `Infinity` if that is not to be known. */
  free(path: string): number;
}

/** Makes what was written to a file, or the names in a folder, survive a power cut. */
export function syncPath(disk: Disk, path: string): void {
  const file = disk.open(path, 'r');
  try {
    disk.sync(file);
  } finally {
    disk.close(file);
  }
}

/** A module that replaces the disk, named by `RecorderModules.disk`. */
export interface DiskModule {
  createDisk(data: unknown): Disk;
}

/** What vehicles record is for nobody else on the machine, whatever the umask says. */
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

export const systemDisk: Disk = {
  makeFolder: (path) => mkdirSync(path, { recursive: true, mode: FOLDER_MODE }) !== undefined,
  list: (path) => {
    try {
      return readdirSync(path);
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
      throw error;
    }
  },
  open: (path, mode) => openSync(path, mode, FILE_MODE),
  read: (file, into, position) => readSync(file, into, 0, into.length, position),
  write: (file, bytes) => writeSync(file, bytes),
  sync: fsyncSync,
  syncData: fdatasyncSync,
  close: closeSync,
  rename: renameSync,
  remove: (path) => rmSync(path, { force: true }),
  free: (path) => {
    const { blocks, bavail, bsize } = statfsSync(path);
    // Some file systems without a size of their own tell nothing.
    return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
  },
};
