import type { ErrorCode } from '../errors.js';

/** A code of the table of errors, and what it means here. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** A broker's answer that says "not ok". */
export class Refusal extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(`${failure.code}: ${failure.message}`);
    this.failure = failure;
  }
}
