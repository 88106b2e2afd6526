import { MqttStreamError } from '../../errors.js';
import { type Database, type OpenDatabase, openDatabase, openMemory, unusable } from './database.js';
import { GroupCommit } from './group-commit.js';
import { beginningWith, KIND } from './keys.js';
import { FORMAT } from './session-codec.js';

/** What one step of a walk over rows takes from the database. */
const STEP_ROWS = 1000;
const STEP_BYTES = 256 * 1024;

export interface RowsOptions {
  /** null: in memory, for as long as the process lives. */
  readonly folder: string | null;
  readonly sync: boolean;
  /** A batch could not be written, or what goes on by itself could not be read. */
  readonly onFault: (error: Error) => void;
  readonly database: OpenDatabase;
}

/** The rows of the store: what was put is read at once, whether it is written or not. */
export class Rows {
  readonly #folder: string;
  readonly #database: Database;
  readonly #commit: GroupCommit;

  private constructor(folder: string, database: Database, commit: GroupCommit) {
    this.#folder = folder;
    this.#database = database;
    this.#commit = commit;
  }

  /** Rejects with STORE_IN_USE, STORE_UNUSABLE or STORE_VERSION. */
  static async open({ folder: path, sync, onFault, database: make }: RowsOptions): Promise<Rows> {
    const database = path === null ? await openMemory() : await openDatabase(path, make);
    const folder = path ?? 'memory';
    const rows = new Rows(folder, database, new GroupCommit({ folder, database, sync, onFault }));
    try {
      await rows.#checkFormat();
      return rows;
    } catch (error) {
      await rows.close();
      throw error;
    }
  }

  async #checkFormat(): Promise<void> {
    const format = (await this.get(KIND.version))?.toString();
    if (format === String(FORMAT)) return;
    const empty = (await this.range('').next()).done === true;
    if (!empty) throw new MqttStreamError('STORE_VERSION', [this.#folder, format ?? 'unknown', FORMAT]);
    this.put(KIND.version, Buffer.from(String(FORMAT)));
    await this.written();
  }

  set onWrite(call: () => void) {
    this.#commit.onWrite = call;
  }

  put(key: string, value: Buffer): void {
    this.#commit.changes.put(key, value);
  }

  /** For a row that does not exist: if it is deleted before it is written, nothing is. */
  insert(key: string, value: Buffer): void {
    this.#commit.changes.insert(key, value);
  }

  delete(key: string): void {
    this.#commit.changes.delete(key);
  }

  /** Everything put so far is handed to the operating system, or with `sync` on the disk. */
  written(): Promise<void> {
    return this.#commit.written();
  }

  /** As `written`; null if there is nothing to wait for. */
  get unwritten(): Promise<void> | null {
    return this.#commit.unwritten;
  }

  async get(key: string): Promise<Buffer | undefined> {
    const change = this.#commit.get(key);
    if (change !== undefined) return change ?? undefined;
    try {
      return await this.#database.get(key);
    } catch (error) {
      throw unusable(this.#folder, error);
    }
  }

  /** All rows whose keys begin so, ascending, as they are when the first one is asked for. */
  async *range(prefix: string): AsyncGenerator<[string, Buffer]> {
    const changes = this.#commit.below(prefix);
    const changed = [...changes].sort(([a], [b]) => (a < b ? -1 : 1));
    const range = prefix === '' ? { gte: '', lt: '\uffff' } : beginningWith(prefix);
    let iterator: ReturnType<Database['iterator']> | undefined;
    let next = 0;
    try {
      iterator = this.#database.iterator({ ...range, highWaterMarkBytes: STEP_BYTES });
      for (;;) {
        const step = await iterator.nextv(STEP_ROWS);
        if (step.length === 0) break;
        for (const row of step) {
          for (; next < changed.length && changed[next]![0] < row[0]; next++) {
            const [key, value] = changed[next]!;
            if (value !== null) yield [key, value];
          }
          if (!changes.has(row[0])) yield row;
        }
      }
      for (; next < changed.length; next++) {
        const [key, value] = changed[next]!;
        if (value !== null) yield [key, value];
      }
    } catch (error) {
      throw unusable(this.#folder, error);
    } finally {
      await iterator?.close();
    }
  }

  /** What a row holds. @throws STORE_UNUSABLE */
  decode<T>(value: Buffer, decode: (bytes: Buffer) => T): T {
    try {
      return decode(value);
    } catch (error) {
      throw this.unusable(error);
    }
  }

  close(): Promise<void> {
    return this.#commit.close();
  }

  /** For a row that does not hold what it should. */
  unusable(cause: unknown): MqttStreamError {
    return unusable(this.#folder, cause);
  }
}
