import { readFile } from 'node:fs/promises';

/** For files, HTTP and what Node itself needs: without one left nothing can be recorded. */
const OTHERS = 256;

/**
 * How many of so many connections the system has file descriptors for. Where there are none left it closes connections
 * without a word to anybody: better they are refused, counted and told.
 */
export async function affordableConnections(wanted: number): Promise<number> {
  const limit = await descriptorLimit();
  return Math.min(wanted, Math.max(limit - OTHERS, Math.floor(limit / 2)));
}

/** Node has raised the soft limit to the hard one at its start. Infinity: not Linux, or no limit. */
async function descriptorLimit(): Promise<number> {
  const text = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const [, soft] = /^Max open files +(\d+)/m.exec(text) ?? [];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}
