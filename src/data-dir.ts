import { mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { MqttStreamError, textOf } from './errors.js';

const Holder = z.object({ pid: z.number().int(), startTicks: z.string(), started: z.string() });
type Holder = z.infer<typeof Holder>;

/** Folders held by this process itself: the file alone could not tell two of its brokers apart. */
const held = new Set<string>();

/**
 * Makes the data folder if need be (0700) and holds it against other processes by `<dataDir>/lock.json`, until the
 * returned function is called. A lock of a process that is gone is taken over; a process id that was given to
 * another program since is told by its start time. Rejects with DATA_DIR_IN_USE or DATA_DIR_UNUSABLE.
 */
export async function holdDataDir(dataDir: string): Promise<() => Promise<void>> {
  const path = join(dataDir, 'lock.json');
  const own: Holder = {
    pid: process.pid,
    startTicks: (await startTicks(process.pid)) ?? '',
    started: new Date(Date.now() - process.uptime() * 1000).toISOString(),
  };
  if (held.has(dataDir)) throw new MqttStreamError('DATA_DIR_IN_USE', [dataDir, own.pid, own.started]);
  held.add(dataDir);
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await take(dataDir, path, own);
  } catch (error) {
    held.delete(dataDir);
    if (error instanceof MqttStreamError) throw error;
    throw new MqttStreamError('DATA_DIR_UNUSABLE', [dataDir, textOf(error)], { cause: error });
  }
  return async () => {
    held.delete(dataDir);
    await unlink(path);
  };
}

async function take(dataDir: string, path: string, own: Holder): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const file = await open(path, 'wx', 0o600);
      await file.writeFile(`${JSON.stringify(own)}\n`);
      await file.close();
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = await readHolder(path);
    if (holder !== null && (await startTicks(holder.pid)) === holder.startTicks) {
      throw new MqttStreamError('DATA_DIR_IN_USE', [dataDir, holder.pid, holder.started]);
    }
    // Two processes may find the stale lock at once: only one of them can move it away.
    const stale = `${path}.${own.pid}.stale`;
    try {
      await rename(path, stale);
      await unlink(stale);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw new Error('its lock file changes hands all the time');
}

async function readHolder(path: string): Promise<Holder | null> {
  try {
    return Holder.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    // Gone meanwhile, or torn by a power cut: nobody holds it.
    return null;
  }
}

/** When a process started, in the kernel's own unit; null if there is none with this id. */
async function startTicks(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; field 22 is the 20th after it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    // Not Linux, or no such process.
    return alive(pid) ? '' : null;
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
