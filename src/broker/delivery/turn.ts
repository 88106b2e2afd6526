/** What has something to do at the end of a turn of the event loop. */
export interface Flushable {
  flush(): void;
}

/**
 * The end of a turn: everything that is written to a connection in one turn leaves then, with one system call. It
 * does not wait for anything: the event loop comes here after it has read what is ready to be read.
 */
export class Turn {
  #due: Flushable[] = [];

  /** Each is to be added once a turn. */
  add(one: Flushable): void {
    if (this.#due.length === 0) setImmediate(this.#end);
    this.#due.push(one);
  }

  readonly #end = (): void => {
    const due = this.#due;
    this.#due = [];
    for (let i = 0; i < due.length; i++) due[i].flush();
  };
}
