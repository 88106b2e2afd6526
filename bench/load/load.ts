import { Child } from '../child.js';
import type { LoadOrder } from './load-process.js';
import { checkFlow, type FlowPlan, type FlowResult } from './plan.js';

/** The load generator's process. */
export class Load {
  readonly #child = new Child(new URL('./load-process.js', import.meta.url));

  /** Carries out a plan. Throws `CheckFailed` unless everything arrived. */
  async run(plan: FlowPlan): Promise<FlowResult> {
    const order: LoadOrder = { kind: 'flow', plan };
    const result = await this.#child.ask<FlowResult>(order, plan.seconds + 60);
    checkFlow(plan, result);
    return result;
  }

  /** Adds clients that do nothing. */
  connect(port: number, count: number): Promise<void> {
    return this.#child.ask({ kind: 'connect', port, count } satisfies LoadOrder);
  }

  /** Ends these. Rejects if the broker has ended one before. */
  disconnect(): Promise<void> {
    return this.#child.ask({ kind: 'disconnect' } satisfies LoadOrder);
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}
