/** What the catalogue works on: a data folder, the part of node:fs/promises it uses, a log, keys. */
import type { Keyring } from '../seal/keyring.js';

export interface CatalogHandle {
  stat(): Promise<{ size: number }>;
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface FolderItem {
  readonly name: string;
  isFile(): boolean;
  isDirectory(): boolean;
}

/** The used part of `node:fs/promises`. */
export interface CatalogFs {
  readdir(path: string, options: { withFileTypes: true }): Promise<FolderItem[]>;
  open(path: string, flags: 'r'): Promise<CatalogHandle>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  rmdir(path: string): Promise<void>;
}

/** The used part of a pino logger. */
export interface CatalogLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface Place {
  readonly dataDir: string;
  readonly fs: CatalogFs;
  readonly log: CatalogLog;
  /** For encrypted files; left out: there are none. */
  readonly keyring?: Keyring;
}

/** The system's code of an error (`ENOENT`), or `undefined`. */
export function systemCode(thrown: unknown): string | undefined {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
