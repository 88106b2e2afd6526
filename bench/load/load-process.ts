/** The load generator: a process of its own, so that it shares no thread with what it measures. */
import { serve } from '../child.js';
import { runFlow } from './flow.js';
import type { FlowPlan } from './plan.js';

serve((plan: FlowPlan) => runFlow(plan));
