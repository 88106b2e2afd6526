import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { MqttStreamError, textOf } from './errors.js';

const Holder = z.object({
  pid: z.number().int(),
  startTicks: z.string().regex(/^\d*$/),
  started: z.string(),
});
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
    await rm(path, { force: true });
  };
}

/**
 * Makes the lock, or takes over that of a dead holder. Several may find one dead at once; who replaces the lock holds
 * another one meanwhile, named after the dead holder, and looks again before: a lock is replaced once only.
 */
async function take(dataDir: string, path: string, own: Holder): Promise<void> {
  while (!(await create(path, own))) {
    const holder = await readHolder(path);
    if (holder === 'gone') continue;
    if (holder !== 'torn' && (await startTicks(holder.pid)) === holder.startTicks) {
      throw new MqttStreamError('DATA_DIR_IN_USE', [dataDir, holder.pid, holder.started]);
    }
    const replacement = `${path}.after-${idOf(holder)}`;
    await take(dataDir, replacement, own);
    if (idOf(await readHolder(path)) === idOf(holder)) return rename(replacement, path);
    await rm(replacement);
  }
}

/** Makes a lock, which nobody sees without its contents. False: there is one. */
async function create(path: string, own: Holder): Promise<boolean> {
  const temporary = `${path}.${idOf(own)}.tmp`;
  const text = `${JSON.stringify(own)}\n`;
  await writeFile(temporary, text, { mode: 0o600 });
  try {
    await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') throw error;
      // A file system without links: the next best thing.
      return writeFile(path, text, { mode: 0o600, flag: 'wx' });
    });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** `torn`: by a power cut, so nobody holds it. */
async function readHolder(path: string): Promise<Holder | 'torn' | 'gone'> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'gone';
    throw error;
  }
  try {
    return Holder.parse(JSON.parse(text));
  } catch {
    return 'torn';
  }
}

function idOf(holder: Holder | 'torn' | 'gone'): string {
  return typeof holder === 'string' ? holder : `${holder.pid}-${holder.startTicks}`;
}

/** When a process started, in the kernel's own unit; null if there is none with this id. */
async function startTicks(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; the state follows it, and field 22 is the 20th after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // Ended, and its parent has not asked how: in a container that may never come.
    if (fields[0] === 'Z') return null;
    return fields[19] ?? null;
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
