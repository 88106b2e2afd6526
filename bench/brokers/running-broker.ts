/** A broker that runs in a process of its own. */
export interface RunningBroker {
  /** With its version. */
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}
