import { randomUUID } from 'node:crypto';
import * as files from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openAccess } from './access.js';
import { outletOf, ownPacket, replyBy } from './answers.js';
import { AuditLog } from './audit-log.js';
import { Bridges } from './bridges.js';
import type { Access } from './broker/access/access.js';
import { Broker } from './broker/broker.js';
import { type Listener, listen } from './broker/listeners.js';
import { openStore } from './broker/store/open.js';
import type { Store } from './broker/store/store.js';
import { Catalog } from './catalog/catalog.js';
import type { Clock } from './clock/clock.js';
import { correctionsIn } from './clock/correction.js';
import { type ClockOpening, ClockStore, SAVE_EVERY } from './clock/store.js';
import { systemTime, type TimeSource } from './clock/time.js';
import { watchClock } from './clock/watch.js';
import {
  type Config,
  type ConfigInput,
  parseConfig,
  parseStream,
  type StreamInput,
} from './config/schema.js';
import { holdDataDir } from './data-dir.js';
import { affordableConnections } from './descriptors.js';
import { type EncryptionKey, openKeyring } from './encryption.js';
import { MqttStreamError } from './errors.js';
import type { TakeBatch } from './exchange/handover.js';
import { HttpInterface } from './http/server.js';
import { knownKeys } from './known-keys.js';
import { createLog, type Logger } from './log.js';
import { FileReader } from './query/file-reader.js';
import { Requests, type Result } from './query/requests.js';
import { Transfers } from './query/transfers.js';
import { within } from './recorder/keeper.js';
import type { RecorderModules, StreamCount } from './recorder/protocol.js';
import type { Keyring } from './seal/keyring.js';
import { Streams } from './streams.js';
import { isOwnTopic, topicFault } from './topics.js';
import { TransferClient } from './transfer/client.js';
import { TRANSFER_TOPIC } from './transfer/topics.js';
import { VERSION } from './version.js';

/** What an embedder may bring along. */
export interface AppParts {
  readonly log?: Logger;
  readonly time?: TimeSource;
  /** Takes the batches of streams whose ring is `whenFull: return`; without it these are as `flush`. */
  readonly onBatch?: TakeBatch;
  /** Keys for encrypted streams, before those of the configuration: the first of all is for new files. */
  readonly encryptionKeys?: () => Promise<readonly EncryptionKey[]>;
  /** Stand-ins for the recorder's disk and encoder. */
  readonly recorderModules?: RecorderModules;
}

export interface Message {
  readonly topic: string;
  readonly payload: Uint8Array | string;
  readonly qos?: 0 | 1 | 2;
  readonly retain?: boolean;
}

/** A start waits so long for what the process before has left in its journals. */
const RESTORE_MS = 500;

/** How long a stop may take if nothing else is said. */
const CLOSE_MS = 5000;

/** A running broker with everything around it. The only file that knows all parts. */
export class App {
  readonly config: Config;
  readonly log: Logger;
  readonly clock: Clock;
  readonly catalog: Catalog;
  readonly streams: Streams;
  readonly access: Access;
  readonly broker: Broker;
  readonly requests: Requests;
  readonly transfers: Transfers;
  readonly audit: AuditLog;
  readonly listeners: Listener[] = [];
  readonly #reader: FileReader;
  readonly #clockStore: ClockStore;
  readonly #store: Store;
  readonly #keyring: Keyring;
  readonly #releaseDataDir: () => Promise<void>;
  readonly #clockTimer: NodeJS.Timeout;
  /** Ends the waiting of those who published from inside and have no answer yet. */
  readonly #publishing = new Set<(error: Error) => void>();
  #bridges: Bridges | null = null;
  #http: HttpInterface | null = null;
  #transferClient: TransferClient | null = null;
  #opened = false;
  #closing: Promise<readonly StreamCount[]> | null = null;

  private constructor(
    config: Config,
    log: Logger,
    audit: AuditLog,
    time: TimeSource,
    catalog: Catalog,
    clock: Clock,
    clockStore: ClockStore,
    streams: Streams,
    store: Store,
    access: Access,
    connections: number,
    keyring: Keyring,
    releaseDataDir: () => Promise<void>,
  ) {
    this.config = config;
    this.log = log;
    this.audit = audit;
    this.catalog = catalog;
    this.clock = clock;
    this.streams = streams;
    this.#store = store;
    this.#keyring = keyring;
    this.access = access;
    this.#clockStore = clockStore;
    this.#releaseDataDir = releaseDataDir;
    watchClock(clock, log, () => {
      streams.correct(clock.corrections);
      this.#saveClock();
    });
    streams.onState = (name, state) => this.broker.sys.tell(`streams/${name}/state`, state);
    this.#clockTimer = setInterval(() => this.#saveClock(), SAVE_EVERY / 1000);
    this.#clockTimer.unref();
    this.#reader = FileReader.start({ log, keys: keyring.keys });
    this.broker = new Broker({
      id: randomUUID(),
      keys: clock,
      limits: { ...config.limits, connections },
      shareStrategy: config.sharedSubscriptions.strategy,
      log,
      store,
      wall: () => time.wall() / 1000,
      capture: streams.exchange,
      audit,
      sys: { ...config.sys, version: VERSION },
      access,
    });
    const { chunkBytes, decrypt } = config.transfer;
    const send = (order: object) =>
      this.broker.requestTransfer(ownPacket(TRANSFER_TOPIC, JSON.stringify(order)));
    this.transfers = new Transfers(catalog, config.dataDir, chunkBytes, send, decrypt);
    this.requests = new Requests({
      catalog,
      clock,
      reader: this.#reader,
      transfers: this.transfers,
      limit: config.limits.requests,
      outlet: outletOf(this.broker),
      pace: {
        now: () => performance.now(),
        sleep: (ms, signal) => delay(ms, undefined, { signal }).catch(() => {}),
      },
      stream: (name) => streams.exchange.get(name),
      flush: (name) => streams.flush(name),
      status: (name) => streams.status(name),
      pathOf: (file) => join(config.dataDir, file.path),
      hash: (file) => streams.hash(file),
      reply: replyBy(this.broker, log),
      audit,
    });
  }

  /** Starts everything. Rejects with a code of the table; then nothing runs and nothing is held. */
  static async start(input: ConfigInput, parts: AppParts = {}): Promise<App> {
    const config = parseConfig(input);
    const log = parts.log ?? createLog(config.log, (line) => process.stderr.write(line));
    const time = parts.time ?? systemTime();
    const access = await openAccess(config, { log, fs: files });
    const keyPlaces = { files, env: process.env };
    const keyring = await openKeyring(config.encryption, keyPlaces, parts.encryptionKeys);
    const releaseDataDir = await holdDataDir(config.dataDir);
    let audit: AuditLog | null = null;
    let opening: ClockOpening | null = null;
    let streams: Streams | null = null;
    let store: Store | null = null;
    let app: App | null = null;
    try {
      const { dataDir } = config;
      audit = await AuditLog.open(config.log.audit, log, () => performance.now());
      const catalog = await Catalog.open({ dataDir, fs: files, log, keyring });
      const known = knownKeys(dataDir, catalog, keyring);
      opening = await ClockStore.open(dataDir, time, files, known, log);
      const { clock, store: clockStore, afterCrash } = opening;
      streams = await Streams.start({
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
        ...(parts.onBatch === undefined ? {} : { onBatch: parts.onBatch }),
        ...(parts.recorderModules === undefined ? {} : { recorderModules: parts.recorderModules }),
      });
      store = await openStore(config.persistence, {
        folder: join(dataDir, 'sessions'),
        instance: randomUUID(),
        limits: config.limits,
        onFault: (error) => log.error({ err: error }, 'sessions could not be stored yet'),
        onRestored: () => log.info('sessions are stored again'),
      });
      const connections = await affordableConnections(config.limits.connections);
      if (connections < config.limits.connections) {
        log.warn({ connections }, 'limits.connections needs more file descriptors than there are: ulimit -n');
      }
      app = new App(
        config,
        log,
        audit,
        time,
        catalog,
        clock,
        clockStore,
        streams,
        store,
        access,
        connections,
        keyring,
        releaseDataDir,
      );
      await app.#open();
      app.#loadFiles(opening.fromFiles);
      return app;
    } catch (error) {
      if (app !== null) {
        await app.close();
      } else {
        await store?.destroy();
        await streams?.close(0);
        // Nothing was captured; but a crash before this start is not to be forgotten.
        await opening?.store.save(!opening.afterCrash);
        await audit?.close();
        await releaseDataDir();
      }
      throw error;
    }
  }

  /** Adds a stream while running. Throws CONFIG_INVALID or STREAM_EXISTS. */
  addStream(input: StreamInput): void {
    const stream = parseStream(input);
    this.streams.add(stream);
    this.audit.record({ audit: 'config', change: 'stream added', stream: stream.name });
  }

  /** Stops capturing for a stream and writes what it has; its files stay. */
  async removeStream(name: string): Promise<void> {
    await this.streams.remove(name);
    this.audit.record({ audit: 'config', change: 'stream removed', stream: name });
  }

  /**
   * Publishes from inside, as a client would; resolves when the message is captured and routed. Rejects with
   * REQUEST_INVALID (no topic name), TOPIC_RESERVED or SHUTTING_DOWN.
   */
  async publish(message: Message): Promise<void> {
    const { payload, topic } = message;
    if (this.closing) throw new MqttStreamError('SHUTTING_DOWN');
    const fault = topicFault(topic);
    if (fault !== null) throw new MqttStreamError('REQUEST_INVALID', [fault]);
    if (isOwnTopic(topic)) throw new MqttStreamError('TOPIC_RESERVED', [topic]);
    const packet = { ...message, payload: typeof payload === 'string' ? Buffer.from(payload) : payload };
    return new Promise((resolve, reject) => {
      this.#publishing.add(reject);
      this.broker.publish(packet, (error?: Error | null) => {
        this.#publishing.delete(reject);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** A request as on `$STREAM/<verb>`; messages and files come the MQTT way, the result comes here too. */
  request(verb: string, request: object): Promise<Result> {
    return this.requests.answer({
      verb,
      payload: Buffer.from(JSON.stringify(request)),
      clientId: 'embedder',
      responseTopic: undefined,
      correlationData: undefined,
      allowed: true,
    });
  }

  /**
   * Reads again what may change while running: certificates, users, keys and rules. Answers with what was read; rejects
   * with the code of what cannot be used, and then nothing has changed.
   */
  async reload(): Promise<readonly string[]> {
    const renewals = await Promise.all([
      this.access.renew().then((use) => ({ what: 'users, keys and rules', use })),
      ...this.listeners.map(async (listener) => ({
        what: `the certificate of ${listener.url}`,
        use: await listener.renew(),
      })),
    ]);
    const reloaded = renewals.flatMap(({ what, use }) => {
      if (use === null) return [];
      use();
      return [what];
    });
    if (reloaded.length > 0) this.audit.record({ audit: 'config', change: 'reloaded' });
    return reloaded;
  }

  get closing(): boolean {
    return this.#closing !== null;
  }

  /** Where health and metrics are; null without them. */
  get http(): { readonly port: number; readonly url: string } | null {
    return this.#http;
  }

  /**
   * Stops: no new connections, replays ended, clients disconnected (their wills published), everything written.
   * Answers with what could not be written in time.
   */
  close(timeoutMs = CLOSE_MS): Promise<readonly StreamCount[]> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #open(): Promise<void> {
    const { config, requests, transfers } = this;
    const bridges = new Bridges({
      dataDir: config.dataDir,
      bridges: config.bridges,
      broker: this.broker,
      streams: this.streams,
      catalog: this.catalog,
      reader: this.#reader,
      clock: this.clock,
      log: this.log,
      packetBytes: config.limits.packetBytes,
      newId: randomUUID,
    });
    for (const stream of config.streams) this.streams.add(stream);
    // A large journal takes longer, and answers say so.
    await Promise.all([this.streams.begun(), this.streams.restored(RESTORE_MS)]);
    await bridges.open();
    this.#bridges = bridges;
    this.broker.events.onRequest = ({ topic, payload, properties }, who, allowed) => {
      const verb = topic.slice('$STREAM/'.length);
      const { clientId } = who;
      const { responseTopic, correlationData } = properties ?? {};
      const rights = {
        mayRead: (filter: string) => this.access.mayReadHistory(who, filter),
        mayPublish: (topic: string) => this.access.mayPublish(who, topic),
      };
      void requests.answer({ verb, payload, clientId, responseTopic, correlationData, allowed, rights });
    };
    this.broker.events.onTransferPublish = ({ topic }) => transfers.published(topic);
    this.broker.events.onTransferReady = () => transfers.ready();
    this.broker.events.onTransferGone = () => transfers.gone();
    await this.broker.listen();
    for (const listener of config.listeners) this.listeners.push(await listen(this.broker, listener));
    if (config.http.enabled) {
      const state = () => (this.closing ? 'stopping' : this.#opened ? 'ready' : 'starting');
      this.#http = await HttpInterface.start(config.http, {
        broker: this.broker,
        bridges,
        catalog: this.catalog,
        clock: this.clock,
        log: this.log,
        requests,
        streams: this.streams,
        transfers,
        state,
      });
    }
    if (config.transfer.embedded) {
      const connect = () => this.broker.connectInside();
      this.#transferClient = await TransferClient.start({ connect, log: this.log, keyring: this.#keyring });
    }
    this.audit.record({ audit: 'config', change: 'started' });
    bridges.start();
    this.#opened = true;
  }

  async #close(timeoutMs: number): Promise<readonly StreamCount[]> {
    const until = performance.now() + timeoutMs;
    clearInterval(this.#clockTimer);
    // Whatever goes wrong or hangs with clients must not take the time that writing needs.
    await within(timeoutMs / 2, this.#closeToClients()).catch((error: unknown) =>
      this.log.error({ err: error }, 'clients could not be let go in order'),
    );
    try {
      const unwritten = await this.streams.close(Math.max(0, until - performance.now()));
      await this.#store
        .destroy()
        .catch((error: unknown) => this.log.error({ err: error }, 'sessions could not be stored'));
      await this.#reader.close();
      // What is lost now shows as a gap after the next start, as after a crash.
      await this.#clockStore.save(unwritten.length === 0 && this.streams.gapsSaved);
      return unwritten;
    } finally {
      for (const reject of this.#publishing) reject(new MqttStreamError('SHUTTING_DOWN'));
      await this.audit.close();
      await this.#releaseDataDir();
      // Last, so that whoever asks meanwhile is told "stopping".
      await this.#http?.close();
    }
  }

  async #closeToClients(): Promise<void> {
    // First, while what they sent may still be acknowledged and what comes in still has a broker.
    await this.#bridges?.close();
    const listenersClosed = Promise.all(this.listeners.map((listener) => listener.close()));
    await this.requests.close();
    await this.#transferClient?.close();
    await new Promise<void>((resolve) => this.broker.close(resolve));
    await listenersClosed;
  }

  /** `clock`: it goes by what files say. */
  #loadFiles(clock: boolean): void {
    const loaded = () => {
      if (!clock || this.closing) return;
      this.clock.learn(correctionsIn(this.catalog.corrections()));
      this.streams.correct(this.clock.corrections);
      this.#saveClock();
    };
    const failed = (error: unknown) => this.log.error({ err: error }, 'files could not be loaded');
    this.catalog.load().then(loaded).catch(failed);
  }

  #saveClock(): void {
    // What comes after the last, clean state must not undo it.
    if (this.closing) return;
    this.#clockStore
      .save(false)
      .catch((error: unknown) => this.log.error({ err: error }, 'the state of the clock could not be saved'));
  }
}

export function createApp(input: ConfigInput = {}, parts: AppParts = {}): Promise<App> {
  return App.start(input, parts);
}
