import { Child } from '../child.js';
import type { Protocol } from '../load/plan.js';
import { versionOf } from '../machine.js';
import type { RunningBroker } from './running-broker.js';

/** The aedes that people install, not the one that we are built on. */
export async function startAedes(_folder: string, protocol: Protocol): Promise<RunningBroker> {
  const child = new Child(new URL('./aedes-process.js', import.meta.url));
  const { port } = await child.ask<{ port: number }>(protocol);
  return { name: `aedes ${versionOf('aedes-stock')}`, pid: child.pid, port, stop: () => child.stop() };
}
