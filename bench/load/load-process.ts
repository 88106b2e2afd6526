/** The load generator: a process of its own, so that it shares no thread with what it measures. */
import { serve } from '../child.js';
import { type ClosedLoopPlan, runClosedLoop } from './closed-loop.js';
import { runFlow } from './flow.js';
import { IdleClients } from './idle.js';
import type { FlowPlan } from './plan.js';

export type LoadOrder =
  | { readonly kind: 'flow'; readonly plan: FlowPlan }
  | { readonly kind: 'closed-loop'; readonly plan: ClosedLoopPlan }
  | { readonly kind: 'connect'; readonly port: number; readonly count: number }
  | { readonly kind: 'disconnect' };

const idle = new IdleClients();

serve(async (order: LoadOrder) => {
  if (order.kind === 'flow') return runFlow(order.plan);
  if (order.kind === 'closed-loop') return runClosedLoop(order.plan);
  if (order.kind === 'connect') return idle.connect(order.port, order.count);
  return idle.close();
});
