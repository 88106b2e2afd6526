/** Looks at a data folder and says what is wrong with it. Nothing is repaired. */
import { join } from 'node:path';
import { isStreamName, STREAMS_FOLDER, streamFolder } from '../catalog/naming.js';
import { holdDataDir } from '../data-dir.js';
import { MqttStreamError, textOf } from '../errors.js';
import { Keyring } from '../seal/keyring.js';
import { checkAccess, checkSpace } from './access.js';
import { CLOCK_FILE, checkClock } from './clock.js';
import type { Report } from './finding.js';
import { type DoctorFiles, type Item, itemsBelow, type Patient, SESSIONS_FOLDER } from './folder.js';
import { checkLeftovers } from './leftovers.js';
import { checkSessions } from './sessions.js';
import { StreamFolder } from './stream.js';

export interface DoctorOptions {
  /** Absolute. */
  readonly dataDir: string;
  readonly files: DoctorFiles;
  readonly report: Report;
  /** For what is encrypted; left out: there are no keys. */
  readonly keyring?: Keyring;
  /** Wall time, microseconds. */
  readonly now: number;
}

/**
 * Checks everything in a data folder, which it holds meanwhile, so that no broker starts; if a process holds it, what
 * that is writing is left out. Rejects with DATA_DIR_UNUSABLE if there is no data folder that could be looked at.
 */
export async function examine(options: DoctorOptions): Promise<void> {
  const { dataDir, files, report, keyring = Keyring.EMPTY } = options;
  const folder = await folderOf(options);
  let release = async () => {};
  let inUse = false;
  try {
    release = await holdDataDir(dataDir);
  } catch (error) {
    inUse = error instanceof MqttStreamError && error.code === 'DATA_DIR_IN_USE';
    if (inUse) {
      report.note({ path: '.', what: `what is being written was left out: ${textOf(error)}` });
    } else {
      const advice = 'see to its rights and its disk: no broker starts here';
      report.finding({ kind: 'access', path: '.', what: `cannot be written: ${textOf(error)}`, advice });
    }
  }
  try {
    await examineHeld({ dataDir, files, report, keyring, inUse }, folder, options.now);
  } finally {
    await release();
  }
}

async function examineHeld(patient: Patient, folder: Item, now: number): Promise<void> {
  const { report } = patient;
  const items = await itemsBelow(patient, '.');
  checkAccess(patient, folder, items);
  await checkSpace(patient);
  checkLeftovers(patient, items);
  const streams = streamsIn(patient, items);
  const total = streams.reduce((sum, { files }) => sum + files.length, 0);
  let read = 0;
  let lastKey = 0;
  for (const stream of streams) {
    const last = await stream.check(patient, () => report.progress(++read, total));
    lastKey = Math.max(lastKey, last);
  }
  const has = (name: string) => items.some(({ path }) => path === name);
  await checkClock(patient, has(CLOCK_FILE), lastKey, now);
  if (has(SESSIONS_FOLDER)) await checkSessions(patient);
}

function streamsIn({ report }: Patient, items: readonly Item[]): StreamFolder[] {
  const streams = new Map<string, StreamFolder>();
  for (const item of items) {
    const [top, name, ...parts] = item.path.split('/');
    if (top !== STREAMS_FOLDER || name === undefined) continue;
    if (parts.length > 0) {
      streams.get(name)?.add(item, parts);
    } else if (item.stats.isDirectory() && isStreamName(name)) {
      streams.set(name, new StreamFolder(name, streamFolder(name)));
    } else {
      const what = 'is no folder of a stream, and is left alone';
      report.finding({
        kind: 'unknown-item',
        path: item.path,
        what,
        advice: 'move it out of the data folder',
      });
    }
  }
  return [...streams.values()];
}

/** Rejects for what is no data folder: nothing is to be made of it. */
async function folderOf({ dataDir, files }: DoctorOptions): Promise<Item> {
  const unusable = (cause: unknown): never => {
    throw new MqttStreamError('DATA_DIR_UNUSABLE', [dataDir, textOf(cause)], { cause });
  };
  const names = await files.readdir(dataDir).catch(unusable);
  if (names.length > 0 && !names.includes(CLOCK_FILE) && !names.includes(STREAMS_FOLDER)) {
    unusable(`it has neither ${CLOCK_FILE} nor ${STREAMS_FOLDER}, so it is none`);
  }
  const stats = await files.lstat(join(dataDir, '.')).catch(unusable);
  return { path: '.', name: '.', stats };
}
