import { Child } from '../child.js';
import { check } from '../question.js';
import type { ClosedLoopPlan, ClosedLoopResult } from './closed-loop.js';
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

  /** Carries out a plan of publishers that wait for every acknowledgement. */
  closedLoop(plan: ClosedLoopPlan): Promise<ClosedLoopResult> {
    const order: LoadOrder = { kind: 'closed-loop', plan };
    return this.#child.ask<ClosedLoopResult>(order, plan.seconds + 60);
  }

  /** Adds clients that do nothing. Throws `CheckFailed` unless the broker accepts them all. */
  async connect(port: number, count: number): Promise<void> {
    const connected = await this.#child.ask<number>({ kind: 'connect', port, count } satisfies LoadOrder);
    check('idle connections', connected, count);
  }

  /** Ends these. How many the broker had ended before. */
  disconnect(): Promise<number> {
    return this.#child.ask({ kind: 'disconnect' } satisfies LoadOrder);
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}
