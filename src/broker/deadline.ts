/** The longest that a timer of Node can wait, ms. */
const MOST_MS = 2 ** 31 - 1;

/** Calls back after a time, which may be longer than a timer can wait. It does not keep the process alive. */
export class Deadline {
  #timer: NodeJS.Timeout;

  constructor(ms: number, due: () => void) {
    this.#timer = this.#arm(ms, due);
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }

  #arm(ms: number, due: () => void): NodeJS.Timeout {
    const part = Math.min(ms, MOST_MS);
    const timer = setTimeout(() => {
      if (ms > part) this.#timer = this.#arm(ms - part, due);
      else due();
    }, part);
    return timer.unref();
  }
}
