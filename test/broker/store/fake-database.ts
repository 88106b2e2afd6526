import type { Database, KeyRange } from '../../../src/broker/store/database.js';

/** A database in memory that shows what is written, and when it is told to, writes late or fails. */
export class FakeDatabase implements Database {
  readonly rows = new Map<string, Buffer>();
  /** Of each batch the keys, those of deletions with a minus. */
  readonly batches: string[][] = [];
  readonly syncs: boolean[] = [];
  opened = 0;
  /** Why writing or reading fails. */
  writeFault: Error | null = null;
  readFault: Error | null = null;
  /** Writes wait for it. */
  gate: Promise<void> = Promise.resolve();
  #open = false;

  async open(): Promise<void> {
    this.#open = true;
    this.opened++;
  }

  async close(): Promise<void> {
    this.#open = false;
  }

  async get(key: string): Promise<Buffer | undefined> {
    this.#check(this.readFault);
    return this.rows.get(key);
  }

  batch() {
    const changes: [string, Buffer | null][] = [];
    return {
      put: (key: string, value: Buffer) => changes.push([key, value]),
      del: (key: string) => changes.push([key, null]),
      write: async ({ sync }: { sync: boolean }) => {
        this.batches.push(changes.map(([key, value]) => (value === null ? `-${key}` : key)));
        this.syncs.push(sync);
        await this.gate;
        this.#check(this.writeFault);
        for (const [key, value] of changes) {
          if (value === null) this.rows.delete(key);
          else this.rows.set(key, value);
        }
      },
    };
  }

  iterator({ gte, lt }: KeyRange) {
    const found = [...this.rows]
      .filter(([key]) => key >= gte && key < lt)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      nextv: async (size: number) => {
        this.#check(this.readFault);
        return found.splice(0, Math.min(size, 2));
      },
      close: async () => {},
    };
  }

  #check(fault: Error | null): void {
    if (fault !== null) throw fault;
    if (!this.#open) throw new Error('the database is not open');
  }
}
