import type { Load } from '../load/load.js';
import type { FlowPlan, FlowResult, Protocol } from '../load/plan.js';
import type { RunningBroker } from './running-broker.js';

/** A broker in one of the ways it is measured. */
export interface Entrant {
  /** In the tables. */
  readonly who: string;
  readonly ours: boolean;
  start(): Promise<Contestant>;
}

/** The same while it runs. */
export interface Contestant {
  readonly broker: RunningBroker;
  /** Carries out a flow on `TOPIC`. Throws `CheckFailed` unless every message arrived and was captured. */
  run(load: Load, plan: Flow): Promise<Outcome>;
}

/** A plan for any broker. */
export type Flow = Omit<FlowPlan, 'port' | 'pid' | 'protocol' | 'topic'>;

export interface Outcome {
  readonly flow: FlowResult;
  /** Share of the messages that are in Parquet files afterwards; NaN if none were to be. */
  readonly inFiles: number;
}

/** What all flows publish below. */
export const TOPIC = 'bench';

export function planFor(broker: RunningBroker, protocol: Protocol, flow: Flow): FlowPlan {
  return { ...flow, topic: TOPIC, port: broker.port, pid: broker.pid, protocol };
}
