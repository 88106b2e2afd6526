import { Child } from '../child.js';
import { checkFlow, type FlowPlan, type FlowResult } from './plan.js';

/** The load generator's process. */
export class Load {
  readonly #child = new Child(new URL('./load-process.js', import.meta.url));

  /** Carries out a plan. Throws `CheckFailed` unless everything arrived. */
  async run(plan: FlowPlan): Promise<FlowResult> {
    const result = await this.#child.ask<FlowResult>(plan, plan.seconds + 60);
    checkFlow(plan, result);
    return result;
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}
