import * as files from 'node:fs/promises';
import { join } from 'node:path';
import { Catalog } from '../catalog/catalog.js';
import { isStreamName, STREAMS_FOLDER } from '../catalog/naming.js';
import { ClockStore } from '../clock/store.js';
import type { TimeSource } from '../clock/time.js';
import { holdDataDir } from '../data-dir.js';
import { MqttStreamError, textOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { RecordedStream } from '../recorder/protocol.js';
import { Recorder } from '../recorder/recorder.js';
import { allocateRing } from '../ring/layout.js';
import { RingWriter } from '../ring/writer.js';
import { Keyring } from '../seal/keyring.js';
import { GapLogs } from '../streams/gap-logs.js';
import { VERSION } from '../version.js';
import { knownKeys } from './known-keys.js';

const GAPS_UNSAVED = 'a record of gaps could not be written: answers will not tell what is missing';

/** What was found in the journal of a stream. */
export interface RecoveredStream {
  readonly stream: string;
  messages: number;
  readonly files: string[];
  tornBytes: number;
  /** Some could not be read and was set aside, or rows before others are missing: a gap says so from now on. */
  incomplete: boolean;
}

/**
 * Does without a broker what its start does: what a process has left in its journals is put into files, temporary files are
 * removed, corrupt ones set aside, and what may be missing for it is recorded. The crash stays to be told by the next start.
 * `keyring`: for what is encrypted, which stays so. Rejects with DATA_DIR_UNUSABLE, DATA_DIR_IN_USE, KEY_MISSING, KEY_WRONG,
 * or FLUSH_FAILED: then what is in no file yet may be recovered later.
 */
export async function recoverFolder(
  dataDir: string,
  time: TimeSource,
  log: Logger,
  keyring = Keyring.EMPTY,
): Promise<RecoveredStream[]> {
  const streams = await streamsIn(dataDir);
  const release = await holdDataDir(dataDir);
  try {
    const catalog = await Catalog.open({ dataDir, fs: files, log, keyring });
    await catalog.load();
    const known = knownKeys(dataDir, catalog, keyring);
    const { clock, store, afterCrash } = await ClockStore.open(dataDir, time, files, known, log);
    const gapLogs = await GapLogs.open({
      dataDir,
      catalog,
      files,
      log,
      afterCrash,
      lastKeyBefore: clock.last,
    });
    let gapsSaved = false;
    const found = new Map(
      streams.map((stream): [string, RecoveredStream] => [
        stream,
        { stream, messages: 0, files: [], tornBytes: 0, incomplete: false },
      ]),
    );
    let ended = () => {};
    let failed = (_error: Error) => {};
    const done = new Promise<void>((resolve, reject) => {
      ended = resolve;
      failed = reject;
    });
    let left = streams.length;
    if (left === 0) ended();
    const recorder = await Recorder.start({
      dataDir,
      bootId: time.bootId,
      clockBase: clock.base,
      corrections: clock.corrections,
      version: VERSION,
      log,
      keys: keyring.keys,
      onCommit: () => {},
      onRestored: (stream, restored) => {
        const { file, torn, unreadable } = restored;
        const one = found.get(stream)!;
        one.tornBytes += torn;
        if (file !== null) {
          one.messages += file.rows;
          one.files.push(file.path);
          catalog.add({ ...file, stream });
        }
        one.incomplete ||= unreadable;
        gapLogs.restored(stream, restored);
        if (restored.left === 0 && --left === 0) ended();
      },
      onFailure: (stream, _what, text) => failed(new MqttStreamError('FLUSH_FAILED', [stream, text])),
    });
    try {
      for (const name of streams) {
        // Nothing is captured: the smallest ring will do.
        gapLogs.leave(name);
        const ring = new RingWriter(allocateRing(2, 4096));
        recorder.add(shapeOf(name), ring, catalog.nextSeq(name));
      }
      await done;
      for (const { incomplete, stream } of found.values())
        if (incomplete && (await gapLogs.saved(stream))) recorder.noted(stream);
    } finally {
      await recorder.close(1000);
      await catalog.close();
      gapsSaved = await gapLogs.close();
      // A stop in order stays one.
      await store.save(!afterCrash);
    }
    if (!gapsSaved) throw new MqttStreamError('DATA_DIR_UNUSABLE', [dataDir, GAPS_UNSAVED]);
    return [...found.values()];
  } finally {
    await release();
  }
}

async function streamsIn(dataDir: string): Promise<string[]> {
  try {
    // A folder that is none of ours is not to become one by a typing error.
    const names = await files.readdir(dataDir);
    if (!names.includes(STREAMS_FOLDER)) throw new Error('there is no folder "streams" in it');
    return (await files.readdir(join(dataDir, STREAMS_FOLDER))).filter(isStreamName).sort();
  } catch (error) {
    throw new MqttStreamError('DATA_DIR_UNUSABLE', [dataDir, textOf(error)], { cause: error });
  }
}

function shapeOf(name: string): RecordedStream {
  return {
    name,
    durability: 'none',
    syncInterval: 0,
    flush: { every: 0, bytes: 0, messages: 0, idle: 0 },
    parquet: { compression: 'zstd' },
    writeBudget: { perDay: 0, stopJournal: false },
  };
}
