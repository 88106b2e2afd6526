import type { Contestant, Flow } from './brokers/contestant.js';
import type { Load } from './load/load.js';
import { cpuSince, residentBytes } from './process-cost.js';
import type { Metric, Sample } from './table.js';

const MIB = 1024 * 1024;

/** What every flow is measured by; more metrics may stand before these. */
export const COSTS: readonly Metric[] = [
  { key: 'cpuDelivery', title: 'CPU µs/delivery', digits: 2 },
  { key: 'cpu', title: 'CPU µs/message', digits: 2 },
  { key: 'thread', title: 'of its main thread', digits: 2 },
  { key: 'rss', title: 'RSS MiB', digits: 0 },
  { key: 'inFiles', title: 'share in files', digits: 2 },
  { key: 'generator', title: 'generator busy', digits: 2 },
];

export const COST_NOTES = [
  'Clients are raw sockets in one process; every delivery is checked by publisher and number.',
  'CPU: of the whole process, from when all clients are there until the last captured message is in a file.',
  '"generator busy" near 1: the load generator was the limit, not the broker.',
];

/** Carries out a flow. Throws `CheckFailed` if anything is missing. */
export async function flowSample(load: Load, contestant: Contestant, plan: Flow) {
  const { pid } = contestant.broker;
  const { flow, inFiles } = await contestant.run(load, plan);
  const cpu = cpuSince(flow.cpuBefore, pid, flow.sent);
  const sample = {
    rate: flow.received / flow.seconds,
    messages: flow.sent / flow.seconds,
    cpu: cpu.process,
    cpuDelivery: (cpu.process * flow.sent) / flow.received,
    thread: cpu.mainThread,
    rss: residentBytes(pid) / MIB,
    inFiles,
    generator: flow.generatorShare,
  } satisfies Sample;
  return { flow, sample };
}
