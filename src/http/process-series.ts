import type { Series } from './series.js';

/** The process as its system sees it. */
export const PROCESS_SERIES: readonly Series<NodeJS.Process>[] = [
  {
    kind: 'gauge',
    name: 'resident_memory_bytes',
    help: 'Memory of the process, rings included.',
    read: (process) => process.memoryUsage.rss(),
  },
  {
    kind: 'gauge',
    name: 'heap_used_bytes',
    help: "Memory in use on the JavaScript heap of the broker's thread.",
    read: (process) => process.memoryUsage().heapUsed,
  },
  {
    kind: 'counter',
    name: 'cpu_seconds_total',
    help: 'Processor time of all threads of the process.',
    read: (process) => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  },
  {
    kind: 'gauge',
    name: 'uptime_seconds',
    help: 'Time since the process was started.',
    read: (process) => process.uptime(),
  },
];
