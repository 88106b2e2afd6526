import { randomUUID } from 'node:crypto';
import * as files from 'node:fs/promises';
import { join } from 'node:path';
import { openStore } from '../broker/store/open.js';
import type { Store } from '../broker/store/store.js';
import { Catalog } from '../catalog/catalog.js';
import type { Clock } from '../clock/clock.js';
import { ClockStore } from '../clock/store.js';
import type { TimeSource } from '../clock/time.js';
import type { Config } from '../config/schema.js';
import { holdDataDir } from '../data-dir.js';
import type { TakeBatch } from '../exchange/handover.js';
import type { Logger } from '../log.js';
import { FileReader } from '../query/file-reader.js';
import type { RecorderModules, StreamCount } from '../recorder/protocol.js';
import type { Keyring } from '../seal/keyring.js';
import { Streams } from '../streams/streams.js';
import { AuditLog } from './audit-log.js';
import { type EncryptionKey, openKeyring } from './encryption.js';
import { KeptClock } from './kept-clock.js';
import { knownKeys } from './known-keys.js';

/** What an embedder may bring along. */
export interface StorageParts {
  /** Takes the batches of streams whose ring is `whenFull: return`; without it these are as `flush`. */
  readonly onBatch?: TakeBatch;
  /** Keys for encrypted streams, before those of the configuration: the first of all is for new files. */
  readonly encryptionKeys?: () => Promise<readonly EncryptionKey[]>;
  /** Stand-ins for the recorder's disk and encoder. */
  readonly recorderModules?: RecorderModules;
}

/** All that a broker keeps on the disk, opened in the order in which one needs the other, and closed in the reverse one. */
export class Storage {
  readonly keyring: Keyring;
  readonly audit: AuditLog;
  readonly catalog: Catalog;
  readonly streams: Streams;
  readonly sessions: Store;
  readonly reader: FileReader;
  readonly #clock: KeptClock;
  readonly #log: Logger;
  readonly #releaseDataDir: () => Promise<void>;

  private constructor(
    keyring: Keyring,
    releaseDataDir: () => Promise<void>,
    audit: AuditLog,
    catalog: Catalog,
    clock: KeptClock,
    streams: Streams,
    sessions: Store,
    log: Logger,
  ) {
    this.keyring = keyring;
    this.#releaseDataDir = releaseDataDir;
    this.audit = audit;
    this.catalog = catalog;
    this.#clock = clock;
    this.streams = streams;
    this.sessions = sessions;
    this.#log = log;
    this.reader = FileReader.start({ log, keys: keyring.keys });
  }

  /** Rejects with a code of the table; then nothing is held. */
  static async open(config: Config, parts: StorageParts, time: TimeSource, log: Logger): Promise<Storage> {
    const { dataDir } = config;
    const { onBatch, recorderModules } = parts;
    const keyring = await openKeyring(config.encryption, { files, env: process.env }, parts.encryptionKeys);
    const undo: (() => unknown)[] = [];
    try {
      const releaseDataDir = await holdDataDir(dataDir);
      undo.push(releaseDataDir);
      const audit = await AuditLog.open(config.log.audit, log, () => performance.now());
      undo.push(() => audit.close());
      const catalog = await Catalog.open({ dataDir, fs: files, log, keyring });
      const known = knownKeys(dataDir, catalog, keyring);
      const opening = await ClockStore.open(dataDir, time, files, known, log);
      const { afterCrash, clock } = opening;
      // Nothing was captured; but a crash before this start is not to be forgotten.
      undo.push(() => opening.store.save(!afterCrash));
      const streams = await Streams.start({
        dataDir,
        bootId: time.bootId,
        catalog,
        clock,
        files,
        reserve: config.disk.reserve,
        log,
        afterCrash,
        keyring,
        sentOpen: config.transfer.decrypt,
        ...(onBatch === undefined ? {} : { onBatch }),
        ...(recorderModules === undefined ? {} : { recorderModules }),
      });
      undo.push(() => streams.close(0));
      const sessions = await openStore(config.persistence, {
        folder: join(dataDir, 'sessions'),
        instance: randomUUID(),
        limits: config.limits,
        onFault: (error) => log.error({ err: error }, 'sessions could not be stored yet'),
        onRestored: () => log.info('sessions are stored again'),
      });
      const kept = new KeptClock(opening, streams, log);
      return new Storage(keyring, releaseDataDir, audit, catalog, kept, streams, sessions, log);
    } catch (error) {
      for (const step of undo.reverse()) await step();
      throw error;
    }
  }

  get clock(): Clock {
    return this.#clock.clock;
  }

  /** Reads what all files say, behind the start. */
  load(): void {
    this.catalog
      .load()
      .then(() => this.#clock.learn(this.catalog))
      .catch((error: unknown) => this.#log.error({ err: error }, 'files could not be loaded'));
  }

  /** Writes everything, at most for so long; answers with what could not be written. */
  async close(timeoutMs: number): Promise<readonly StreamCount[]> {
    this.#clock.stop();
    try {
      const unwritten = await this.streams.close(timeoutMs);
      await this.sessions
        .destroy()
        .catch((error: unknown) => this.#log.error({ err: error }, 'sessions could not be stored'));
      await this.reader.close();
      // What is lost now shows as a gap after the next start, as after a crash.
      await this.#clock.saveLast(unwritten.length === 0 && this.streams.gapsSaved);
      return unwritten;
    } finally {
      await this.audit.close();
      await this.#releaseDataDir();
    }
  }
}
