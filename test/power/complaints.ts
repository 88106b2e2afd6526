import assert from 'node:assert/strict';
import type { Logger } from '../../src/log.js';

/** What a healthy disk lets nobody say, however often its power was cut. */
const NEVER =
  /corrupt|damaged|overlap|keys of one range|not readable|could not|cannot|stays|left alone|changed by/;
/** What even a failing one does not. */
const NOT_EVEN_THEN = /corrupt file|overlap|keys of one range|not readable|changed by/;

/** The log of a process, which has nothing to complain of. */
export class Complaints {
  readonly #found: string[] = [];
  readonly log: Logger;

  /** `heard`: whether somebody still hears it. */
  constructor(failing: boolean, heard: () => boolean) {
    const pattern = failing ? NOT_EVEN_THEN : NEVER;
    const note = (fields: object, message: string) => {
      if (heard() && pattern.test(message)) this.#found.push(`${message}: ${JSON.stringify(fields)}`);
    };
    const nothing = () => {};
    this.log = { debug: nothing, info: nothing, warn: note, error: note } as unknown as Logger;
  }

  check(): void {
    assert.deepEqual(this.#found, []);
  }
}
