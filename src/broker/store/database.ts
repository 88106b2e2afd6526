import { chmod, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { MemoryLevel } from 'memory-level';
import { MqttStreamError, textOf } from '../../errors.js';
import { checkLogs } from './log-check.js';

export interface KeyRange {
  readonly gte: string;
  readonly lt: string;
}

/** The used part of classic-level. */
export interface Database {
  open(): Promise<void>;
  close(): Promise<void>;
  get(key: string): Promise<Buffer | undefined>;
  /** What is put together step by step costs half of an array of operations. */
  batch(): {
    put(key: string, value: Buffer): unknown;
    del(key: string): unknown;
    write(options: { sync: boolean }): Promise<void>;
  };
  /** In the order of keys, as things are now. */
  iterator(options: KeyRange & { highWaterMarkBytes: number }): {
    nextv(size: number): Promise<[string, Buffer][]>;
    close(): Promise<void>;
  };
}

export type OpenDatabase = (folder: string) => Database;

const ENCODINGS = { keyEncoding: 'utf8', valueEncoding: 'buffer' } as const;

export const level: OpenDatabase = (folder) => new ClassicLevel<string, Buffer>(folder, ENCODINGS);

/** One that is gone with the process. */
export async function openMemory(): Promise<Database> {
  const database = new MemoryLevel<string, Buffer>(ENCODINGS);
  await database.open();
  return database;
}

/**
 * Makes the folder if need be and opens the database in it, for this user only. Rejects with STORE_IN_USE or
 * STORE_UNUSABLE.
 */
export async function openDatabase(folder: string, make: OpenDatabase): Promise<Database> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    // LevelDB makes files with the process's umask: nobody else comes through the folder to those that follow.
    await chmod(folder, 0o700);
    await checkLogs(folder);
    const database = make(folder);
    await database.open();
    await closeToOthers(folder);
    return database;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const locked = (cause as { code?: string }).code === 'LEVEL_LOCKED';
    throw locked ? new MqttStreamError('STORE_IN_USE', [folder], { cause }) : unusable(folder, cause);
  }
}

async function closeToOthers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    await chmod(join(folder, name), 0o600).catch((error: NodeJS.ErrnoException) => {
      // LevelDB tidies up meanwhile.
      if (error.code !== 'ENOENT') throw error;
    });
  }
}

export function unusable(folder: string, cause: unknown): MqttStreamError {
  return cause instanceof MqttStreamError
    ? cause
    : new MqttStreamError('STORE_UNUSABLE', [folder, textOf(cause)], { cause });
}
