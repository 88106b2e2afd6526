import { dirname } from 'node:path';
import { z } from 'zod';
import { type WholeFiles, writeWhole } from '../whole-file.js';

/** The used part of `node:fs/promises`. */
export interface StateFiles extends WholeFiles {
  mkdir(path: string, options: { recursive: true; mode: number }): Promise<unknown>;
  readFile(path: string, encoding: 'utf8'): Promise<string>;
}

/** A small JSON file of the bridge. */
export class StateFile<S extends z.ZodType> {
  readonly path: string;
  readonly #schema: S;
  readonly #files: StateFiles;

  constructor(path: string, schema: S, files: StateFiles) {
    this.path = path;
    this.#schema = schema;
    this.#files = files;
  }

  /** null: there is none. Rejects if it cannot be read or is not what it should be. */
  async read(): Promise<z.output<S> | null> {
    let text: string;
    try {
      text = await this.#files.readFile(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
    return this.#schema.parse(JSON.parse(text));
  }

  /** One write at a time. */
  async write(state: z.input<S>): Promise<void> {
    await this.#files.mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    await writeWhole(this.path, `${JSON.stringify(state)}\n`, this.#files);
  }
}

/** `<dataDir>/bridges/id.json`: who this broker is to others, whenever it is started. */
export const identity = z.strictObject({ id: z.string().min(1) });

/** `<dataDir>/bridges/<name>.position.json`: the other broker has what matches of this stream, up to this key. */
export const position = z.strictObject({ stream: z.string(), key: z.number().int().nonnegative() });
