/** Messages of one turn of the event loop that somebody waits for. */
interface Turn {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  /** All before this sequence; known when the turn has ended. */
  upTo: number;
}

/** When what a stream captures is as safe as it promises. One promise a turn, resolved in the order of the turns. */
export class Safety {
  #open: Turn | null = null;
  #waiting: Turn[] = [];

  /** Of the message that was captured last. Rejects if `giveUp` is called before it is safe. */
  wait(): Promise<void> {
    this.#open ??= newTurn();
    return this.#open.promise;
  }

  /** The turn has ended, with so many messages in the ring. True: somebody waits for one of them. */
  endTurn(written: number): boolean {
    const turn = this.#open;
    if (turn === null) return false;
    this.#open = null;
    turn.upTo = written;
    this.#waiting.push(turn);
    return true;
  }

  /** All messages before this sequence are safe. */
  reached(upTo: number): void {
    let done = 0;
    while (done < this.#waiting.length && this.#waiting[done].upTo <= upTo) this.#waiting[done++].resolve();
    if (done > 0) this.#waiting = this.#waiting.slice(done);
  }

  /** Nobody can say when what was captured until now will be safe. */
  giveUp(error: Error): void {
    for (const turn of this.#waiting) turn.reject(error);
    this.#waiting = [];
    this.#open?.reject(error);
    this.#open = null;
  }
}

function newTurn(): Turn {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((done, broken) => {
    resolve = done;
    reject = broken;
  });
  // Who publishes from inside may not wait for it.
  promise.catch(() => {});
  return { promise, resolve, reject, upTo: Number.POSITIVE_INFINITY };
}
