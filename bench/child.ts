import { type ChildProcess, fork } from 'node:child_process';

interface Order {
  readonly id: number;
  readonly order: unknown;
}

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** A process of this folder that carries out orders; it ends with its parent. */
export class Child {
  readonly #process: ChildProcess;
  readonly #name: string;
  readonly #pending = new Map<number, { resolve(result: never): void; reject(error: Error): void }>();
  readonly #ended: Promise<void>;
  #orders = 0;

  /** `entry`: a module that calls `serve`; `flags`: of its Node, besides ours; `launcher`: what its Node is started by. */
  constructor(entry: URL, flags: readonly string[] = [], launcher: readonly string[] = []) {
    this.#name = entry.pathname.slice(entry.pathname.indexOf('/bench/') + 1);
    const [execPath, ...execArgv] = [...launcher, process.execPath, ...process.execArgv, ...flags];
    this.#process = fork(entry, { serialization: 'advanced', execPath, execArgv });
    this.#process.on('message', ({ id, result, error }: Reply) => {
      const pending = this.#pending.get(id);
      this.#pending.delete(id);
      if (error === undefined) pending?.resolve(result as never);
      else pending?.reject(new Error(`${this.#name}: ${error}`));
    });
    this.#ended = new Promise((resolve) => {
      this.#process.once('exit', (code, signal) => {
        const error = new Error(`${this.#name} ended early (${signal ?? code})`);
        for (const { reject } of this.#pending.values()) reject(error);
        this.#pending.clear();
        resolve();
      });
    });
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** The result of an order; `T` is what the entry's handler gives. Rejects after so many seconds. */
  ask<T>(order: unknown, seconds = 60): Promise<T> {
    const id = this.#orders++;
    return new Promise<T>((resolve, reject) => {
      const late = setTimeout(() => {
        this.#pending.delete(id);
        reject(new Error(`${this.#name} has not answered in ${seconds} s`));
      }, seconds * 1000);
      const settled =
        <V>(settle: (value: V) => void) =>
        (value: V) => {
          clearTimeout(late);
          settle(value);
        };
      this.#pending.set(id, { resolve: settled(resolve), reject: settled(reject) });
      this.#process.send({ id, order } satisfies Order);
    });
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  async stop(): Promise<void> {
    const late = setTimeout(() => this.#process.kill('SIGKILL'), 5000);
    if (this.#process.connected) this.#process.disconnect();
    await this.#ended;
    clearTimeout(late);
  }
}

/** In the child: carries out orders until the parent lets go or is gone; `exit` handlers run then. */
export function serve<T>(carryOut: (order: T) => Promise<unknown>): void {
  process.on('disconnect', () => process.exit(0));
  process.on('message', ({ id, order }: Order) => {
    carryOut(order as T).then(
      (result) => process.send!({ id, result } satisfies Reply),
      (error: unknown) => {
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
        process.send!({ id, error: text } satisfies Reply);
      },
    );
  });
}
