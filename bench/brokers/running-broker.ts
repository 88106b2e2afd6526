import type { Protocol } from '../load/plan.js';
import { CheckFailed } from '../question.js';

/** A broker that runs in a process of its own. */
export interface RunningBroker {
  /** With its version. */
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts a broker with one listener; `folder` is for its files. Rejects with `Unavailable`. */
export type StartBroker = (folder: string, protocol: Protocol) => Promise<RunningBroker>;

/** This broker is not here or cannot do that; the message is for the reader of the tables. */
export class Unavailable extends CheckFailed {}
