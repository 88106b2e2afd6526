import type { Catalog } from '../catalog/catalog.js';
import type { Clock } from '../clock/clock.js';
import type { Logger } from '../log.js';
import type { RecorderModules } from '../recorder/protocol.js';
import { Recorder } from '../recorder/recorder.js';
import type { Keyring } from '../seal/keyring.js';
import { VERSION } from '../version.js';
import type { HeldStream } from './held-stream.js';

export interface RecordingOptions {
  readonly dataDir: string;
  readonly bootId: string;
  /** Bytes of the disk that are left free. */
  readonly reserve: number;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly log: Logger;
  readonly keyring: Keyring;
  /** Whether encrypted files are sent decrypted. */
  readonly sentOpen: boolean;
  readonly recorderModules?: RecorderModules;
}

/** The recorder, whose reports reach the catalogue and the streams that they are about, if these are still `held`. */
export function startRecorder(
  options: RecordingOptions,
  held: ReadonlyMap<string, HeldStream>,
): Promise<Recorder> {
  const { bootId, catalog, clock, dataDir, keyring, log, reserve, sentOpen } = options;
  const { recorderModules: modules } = options;
  return Recorder.start({
    dataDir,
    bootId,
    clockBase: clock.base,
    corrections: clock.corrections,
    version: VERSION,
    reserve,
    log,
    keys: keyring.keys,
    sentOpen,
    ...(modules === undefined ? {} : { modules }),
    // In one turn the file becomes visible and the ring gives its messages up: they are never in both, nor in none.
    onCommit: (stream, file, upTo, info) => {
      catalog.add({ ...file, stream });
      log.debug({ stream, file: file.name, rows: file.rows, ...info }, 'a file was written');
      held.get(stream)?.committed(file, upTo, info);
    },
    onSafe: (stream, upTo) => held.get(stream)?.stream.safety?.reached(upTo),
    onRestored: (stream, found) => {
      const { file, left, torn } = found;
      if (file !== null) catalog.add({ ...file, stream });
      if (file !== null || torn > 0) {
        const rows = file?.rows ?? 0;
        log.info({ stream, file: file?.name, rows, torn, left }, 'a journal was put into a file');
      }
      held.get(stream)?.restored(found);
    },
    onFailure: (stream, what, text, full) => held.get(stream)?.failed(what, text, full),
    onRecovered: (stream, what) => held.get(stream)?.disk.recovered(what),
    onNoRoom: (stream) => held.get(stream)?.disk.noRoom(),
    onBudget: (stream, exhausted) => held.get(stream)?.overBudget(exhausted),
    onReplaced: (lost) => {
      const losers = new Set(lost.map(({ stream }) => stream));
      for (const [name, stream] of held) stream.recorderReplaced(losers.has(name));
    },
  });
}
