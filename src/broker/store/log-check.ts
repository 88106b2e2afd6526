import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * LevelDB leaves out what it cannot read of its log, and says so to nobody. This looks at the log before: a record
 * that was not finished stands last, so one that is broken with a good one behind it was damaged later.
 *
 * A log is blocks of 32 KiB, a block is records: checksum u32, length u16, type u8, bytes.
 */
const BLOCK = 32_768;
const HEADER = 7;
/** Types: a whole batch, or its first, middle and last part. */
const LAST_TYPE = 4;

/** Rejects if a log in the folder is damaged. */
export async function checkLogs(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!/^\d+\.log$/.test(name)) continue;
    const at = damageIn(await readFile(join(folder, name)));
    if (at !== null) throw new Error(`${name} is damaged at byte ${at}`);
  }
}

/** Where a log is damaged; null if nothing is, or if only its end is missing. */
export function damageIn(log: Buffer): number | null {
  let broken: number | null = null;
  for (let block = 0; block < log.length; block += BLOCK) {
    const end = Math.min(block + BLOCK, log.length);
    for (let at = block; at + HEADER <= end; ) {
      const next = at + HEADER + log.readUInt16LE(at + 4);
      if (next > end || !isRecord(log, at, next)) broken ??= at;
      else if (broken !== null) return broken;
      at = next;
    }
  }
  return null;
}

function isRecord(log: Buffer, at: number, end: number): boolean {
  const type = log[at + 6]!;
  return type > 0 && type <= LAST_TYPE && log.readUInt32LE(at) === masked(crc32c(log, at + 6, end));
}

/** LevelDB does not write a checksum as it is, so that one of bytes with checksums in them is a good one. */
function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282_ead8) >>> 0;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
  return crc >>> 0;
});

/** Castagnoli's. */
function crc32c(bytes: Buffer, start: number, end: number): number {
  let crc = 0xffff_ffff;
  for (let at = start; at < end; at++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}
