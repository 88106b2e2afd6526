import type { Clock } from '../clock/clock.js';
import type { Series } from './series.js';

export const CLOCK_SERIES: readonly Series<Clock>[] = [
  {
    kind: 'gauge',
    name: 'clock_corrections',
    help: 'Steps of the wall clock that are known; keys do not follow them.',
    // The first entry is not a step: it says what the keys began with.
    read: (clock) => clock.corrections.length - 1,
  },
  {
    kind: 'gauge',
    name: 'clock_offset_seconds',
    help: 'By how much wall time is ahead of keys.',
    read: (clock) => clock.offset / 1e6,
  },
  {
    kind: 'gauge',
    name: 'clock_plausible',
    help: '0 while the wall clock shows a time that cannot be, or was never right since the machine was started; else 1.',
    read: (clock) => Number(clock.plausible),
  },
];
