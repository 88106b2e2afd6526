import type { ErrorCode } from '../errors.js';
import type { Replayed } from './replay.js';

/** The answer to a request, as JSON has it. */
export interface Result {
  readonly id: string | null;
  readonly op: string;
  readonly ok: boolean;
  readonly stream?: string;
  readonly messages?: Replayed & { topic: string };
  readonly files?: readonly object[];
  readonly gaps?: readonly object[];
  readonly status?: object;
  /** Where the wall time that was asked for is not key time: what turns the keys of the answer into wall time. */
  readonly corrections?: readonly object[];
  /** There may be more, on topics that who asks may not read. */
  readonly restricted?: true;
  /** There may be more, in so many files that were not loaded yet when the answer began. */
  readonly loading?: { readonly files: number };
  readonly error?: { code: ErrorCode; message: string };
}
