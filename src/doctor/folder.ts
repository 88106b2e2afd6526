/** All that lies in a data folder. */
import { join } from 'node:path';
import { systemCode } from '../catalog/place.js';
import { textOf } from '../errors.js';
import type { Keyring } from '../seal/keyring.js';
import type { Report } from './finding.js';

interface Stats {
  readonly mode: number;
  readonly uid: number;
  readonly size: number;
  isFile(): boolean;
  isDirectory(): boolean;
}

interface Handle {
  stat(): Promise<{ size: number }>;
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The used part of `node:fs/promises`. */
export interface DoctorFiles {
  readdir(path: string): Promise<string[]>;
  lstat(path: string): Promise<Stats>;
  open(path: string, flags: 'r'): Promise<Handle>;
  readFile(path: string): Promise<Buffer>;
  statfs(path: string): Promise<{ readonly bavail: number; readonly bsize: number }>;
}

/** Something in the folder; links are not followed. */
export interface Item {
  /** Relative to the data folder, with '/'. */
  readonly path: string;
  readonly name: string;
  readonly stats: Stats;
}

/** What the checks work on. */
export interface Patient {
  readonly dataDir: string;
  readonly files: DoctorFiles;
  readonly report: Report;
  /** For what is encrypted. */
  readonly keyring: Keyring;
  /** A process works in the folder: what it has not finished is no finding, and what it removes was not there. */
  readonly inUse: boolean;
}

/** LevelDB's own, and no business of anybody else. */
export const SESSIONS_FOLDER = 'sessions';

/** Everything below `path`, folders before what is in them, in order. */
export async function itemsBelow(patient: Patient, path: string): Promise<Item[]> {
  const { dataDir, files } = patient;
  const names = await unlessRefused(patient, path, files.readdir(join(dataDir, path)));
  const items: Item[] = [];
  for (const name of names?.sort() ?? []) {
    const below = path === '.' ? name : `${path}/${name}`;
    const stats = await unlessRefused(patient, below, files.lstat(join(dataDir, below)));
    if (stats === null) continue;
    items.push({ path: below, name, stats });
    if (stats.isDirectory() && below !== SESSIONS_FOLDER) items.push(...(await itemsBelow(patient, below)));
  }
  return items;
}

/** null: the system refuses it, which is a finding, or it is gone. */
export async function unlessRefused<Value>(
  { inUse, report }: Patient,
  path: string,
  reading: Promise<Value>,
): Promise<Value | null> {
  try {
    return await reading;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    if (!(inUse && systemCode(error) === 'ENOENT')) {
      const advice = 'see to its rights, or to the disk: the kernel log tells more';
      report.finding({ kind: 'unreadable', path, what: `cannot be read: ${textOf(error)}`, advice });
    }
    return null;
  }
}
