import { spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';

const MIB = 1024 * 1024;
/** More than a minute of messages takes. */
const SMALL_BYTES = 512 * MIB;
/** How far the disk is from its reserve, before and behind: others use it, too. */
const MARGIN_BYTES = 256 * MIB;
const BALLAST = 'ballast';

/** A disk for the data folder of one broker that can be filled, and have room again. */
export interface SmallDisk {
  /** For whoever reads the figures. */
  readonly what: string;
  /** `disk.reserve` of the broker. */
  readonly reserve: number;
  /** What a process is started by that has this disk at `folder`: a program and its arguments. */
  launcher(folder: string): readonly string[];
  /** Where that folder is for everybody else. */
  seen(folder: string, pid: number): string;
}

const MOUNT = `mount -t tmpfs -o size=${SMALL_BYTES},mode=0700 none "$0"`;

/**
 * A file system in memory that only the broker's process sees, and that is gone with it, whatever ends that: of a mount
 * namespace. Who may not have one gets a reserve that a file breaks into.
 */
export async function smallDisk(folder: string): Promise<SmallDisk> {
  const tried = spawnSync('unshare', ['--mount', 'sh', '-c', MOUNT, folder]);
  if (tried.status === 0) {
    return {
      what: `a tmpfs of ${SMALL_BYTES / MIB} MiB, filled until it said ENOSPC`,
      reserve: 0,
      launcher: (at) => ['unshare', '--mount', 'sh', '-c', `${MOUNT} && exec "$@"`, at],
      seen: (at, pid) => `/proc/${pid}/root${at}`,
    };
  }
  const { bavail, bsize } = await statfs(folder);
  return {
    what: 'a reserve that a file broke into, since no file system could be mounted here: not ENOSPC, but refused as that',
    reserve: bavail * bsize - MARGIN_BYTES,
    launcher: () => [],
    seen: (at) => at,
  };
}

/** Takes all room that there is, or what leaves nothing but the reserve. */
export function fill({ reserve }: SmallDisk, folder: string): void {
  const file = openSync(join(folder, BALLAST), 'w');
  try {
    const most = reserve === 0 ? Number.POSITIVE_INFINITY : 2 * MARGIN_BYTES;
    let piece = Buffer.alloc(MIB);
    for (let bytes = 0; bytes < most && piece.length > 0; ) {
      try {
        bytes += writeSync(file, piece);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        piece = piece.subarray(0, piece.length >> 1);
      }
    }
  } finally {
    closeSync(file);
  }
}

export function clear(folder: string): void {
  rmSync(join(folder, BALLAST));
}
