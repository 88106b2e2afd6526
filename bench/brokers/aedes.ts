import { Child } from '../child.js';
import { versionOf } from '../machine.js';
import type { RunningBroker } from './running-broker.js';

export async function startAedes(): Promise<RunningBroker> {
  const child = new Child(new URL('./aedes-process.js', import.meta.url));
  const { port } = await child.ask<{ port: number }>('start');
  return { name: `aedes ${versionOf('aedes')}`, pid: child.pid, port, stop: () => child.stop() };
}
