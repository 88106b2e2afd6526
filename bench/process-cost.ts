import { readFileSync } from 'node:fs';

/** Linux counts in these, whatever the kernel's own clock tick is. */
const TICKS_A_SECOND = 100;

/** Processor time used so far, seconds, exact to 10 ms; NaN where there is no /proc. */
export interface Cpu {
  readonly process: number;
  /** Of the thread that runs the event loop. */
  readonly mainThread: number;
}

export function cpuOf(pid: number): Cpu {
  return { process: secondsIn(`/proc/${pid}/stat`), mainThread: secondsIn(`/proc/${pid}/task/${pid}/stat`) };
}

/** Processor time used since `before`, microseconds for each of `count`. */
export function cpuSince(before: Cpu, pid: number, count: number): Cpu {
  const now = cpuOf(pid);
  const each = (seconds: number) => (seconds * 1e6) / count;
  return {
    process: each(now.process - before.process),
    mainThread: each(now.mainThread - before.mainThread),
  };
}

/** Resident memory, bytes; NaN where there is no /proc. */
export function residentBytes(pid: number): number {
  return memoryIn(pid, /^VmRSS:\s+(\d+) kB$/m);
}

/** The most resident memory since the process was started, bytes; NaN where there is no /proc. */
export function peakResidentBytes(pid: number): number {
  return memoryIn(pid, /^VmHWM:\s+(\d+) kB$/m);
}

/** Bytes written so far; NaN where there is no /proc. */
export interface DiskWrites {
  /** By calls, to sockets, too. */
  readonly asked: number;
  /** For a disk, in whole pages. */
  readonly taken: number;
  /** Of these, gone before they were on it. */
  readonly cancelled: number;
}

export function diskWritesOf(pid: number): DiskWrites {
  const text = textOf(`/proc/${pid}/io`);
  const of = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  return { asked: of('wchar'), taken: of('write_bytes'), cancelled: of('cancelled_write_bytes') };
}

function memoryIn(pid: number, line: RegExp): number {
  const kib = line.exec(textOf(`/proc/${pid}/status`))?.[1];
  return kib === undefined ? Number.NaN : Number(kib) * 1024;
}

function secondsIn(path: string): number {
  const text = textOf(path);
  // The second field is a name in brackets that may hold anything; user and system time are fields 14 and 15.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields.length < 13 ? Number.NaN : (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

function textOf(path: string): string {
  if (process.platform !== 'linux') return '';
  return readFileSync(path, 'utf8');
}
