import { randomUUID } from 'node:crypto';
import * as files from 'node:fs/promises';
import type { Access } from '../broker/access/access.js';
import { Broker } from '../broker/broker.js';
import type { Listener } from '../broker/listeners.js';
import type { Catalog } from '../catalog/catalog.js';
import type { Clock } from '../clock/clock.js';
import { clockFigures } from '../clock/figures.js';
import { systemTime, type TimeSource } from '../clock/time.js';
import {
  type Config,
  type ConfigInput,
  parseConfig,
  parseStream,
  type StreamInput,
} from '../config/schema.js';
import { MqttStreamError } from '../errors.js';
import { HttpInterface } from '../http/server.js';
import { createLog, type Logger } from '../log.js';
import type { Requests } from '../query/requests.js';
import type { Result } from '../query/result.js';
import type { Transfers } from '../query/transfers.js';
import { within } from '../recorder/keeper.js';
import type { StreamCount } from '../recorder/protocol.js';
import type { Streams } from '../streams/streams.js';
import { VERSION } from '../version.js';
import { openAccess } from './access.js';
import type { AuditLog } from './audit-log.js';
import { affordableConnections } from './descriptors.js';
import { type Message, Publishing } from './publishing.js';
import { answerRequests } from './requests.js';
import { Storage, type StorageParts } from './storage.js';
import { Traffic } from './traffic.js';

/** What an embedder may bring along. */
export interface AppParts extends StorageParts {
  readonly log?: Logger;
  readonly time?: TimeSource;
}

/** A start waits so long for what the process before has left in its journals. */
const RESTORE_MS = 500;

/** How long a stop may take if nothing else is said. */
const CLOSE_MS = 5000;

/** A running broker with everything around it. The only file that knows all parts. */
export class App {
  readonly config: Config;
  readonly log: Logger;
  readonly access: Access;
  readonly broker: Broker;
  readonly requests: Requests;
  readonly transfers: Transfers;
  readonly #storage: Storage;
  readonly #publishing: Publishing;
  readonly #traffic: Traffic;
  #http: HttpInterface | null = null;
  #opened = false;
  #closing: Promise<readonly StreamCount[]> | null = null;

  private constructor(
    config: Config,
    log: Logger,
    time: TimeSource,
    access: Access,
    storage: Storage,
    connections: number,
  ) {
    const { audit, clock, sessions, streams } = storage;
    this.config = config;
    this.log = log;
    this.access = access;
    this.#storage = storage;
    this.broker = new Broker({
      id: randomUUID(),
      keys: clock,
      limits: { ...config.limits, connections },
      shareStrategy: config.sharedSubscriptions.strategy,
      log,
      store: sessions,
      wall: () => time.wall() / 1000,
      capture: streams.exchange,
      audit,
      sys: { ...config.sys, version: VERSION, more: () => clockFigures(clock) },
      access,
    });
    streams.onState = (name, state) => this.broker.sys.tell(`streams/${name}/state`, state);
    this.#publishing = new Publishing(this.broker);
    const { requests, transfers } = answerRequests({ config, storage, access, broker: this.broker, log });
    this.requests = requests;
    this.transfers = transfers;
    this.#traffic = new Traffic({ config, storage, broker: this.broker, requests, log });
  }

  /** Starts everything. Rejects with a code of the table; then nothing runs and nothing is held. */
  static async start(input: ConfigInput, parts: AppParts = {}): Promise<App> {
    const config = parseConfig(input);
    const log = parts.log ?? createLog(config.log, (line) => process.stderr.write(line));
    const time = parts.time ?? systemTime();
    const access = await openAccess(config, { log, fs: files });
    const connections = await affordableConnections(config.limits.connections);
    if (connections < config.limits.connections) {
      log.warn({ connections }, 'limits.connections needs more file descriptors than there are: ulimit -n');
    }
    const storage = await Storage.open(config, parts, time, log);
    const app = new App(config, log, time, access, storage, connections);
    try {
      await app.#open();
    } catch (error) {
      await app.close();
      throw error;
    }
    storage.load();
    return app;
  }

  get audit(): AuditLog {
    return this.#storage.audit;
  }

  get catalog(): Catalog {
    return this.#storage.catalog;
  }

  get clock(): Clock {
    return this.#storage.clock;
  }

  get streams(): Streams {
    return this.#storage.streams;
  }

  get listeners(): readonly Listener[] {
    return this.#traffic.listeners;
  }

  /** Where health and metrics are; null without them. */
  get http(): { readonly port: number; readonly url: string } | null {
    return this.#http;
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
    if (this.closing) throw new MqttStreamError('SHUTTING_DOWN');
    return this.#publishing.publish(message);
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

  /**
   * Stops: no new connections, replays ended, clients disconnected (their wills published), everything written.
   * Answers with what could not be written in time.
   */
  close(timeoutMs = CLOSE_MS): Promise<readonly StreamCount[]> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #open(): Promise<void> {
    const { broker, clock, config, log, requests, streams, transfers } = this;
    const { bridges } = this.#traffic;
    for (const stream of config.streams) streams.add(stream);
    // A large journal takes longer, and answers say so.
    await Promise.all([streams.begun(), streams.restored(RESTORE_MS)]);
    await this.#traffic.open();
    if (config.http.enabled) {
      const state = () => (this.closing ? 'stopping' : this.#opened ? 'ready' : 'starting');
      const measured = { broker, bridges, clock, requests, streams, transfers };
      this.#http = await HttpInterface.start(config.http, { ...measured, log, state });
    }
    this.audit.record({ audit: 'config', change: 'started' });
    bridges.start();
    this.#opened = true;
  }

  async #close(timeoutMs: number): Promise<readonly StreamCount[]> {
    const until = performance.now() + timeoutMs;
    // Whatever goes wrong or hangs with clients must not take the time that writing needs.
    await within(timeoutMs / 2, this.#traffic.close()).catch((error: unknown) =>
      this.log.error({ err: error }, 'clients could not be let go in order'),
    );
    try {
      return await this.#storage.close(Math.max(0, until - performance.now()));
    } finally {
      this.#publishing.end();
      // Last, so that whoever asks meanwhile is told "stopping".
      await this.#http?.close();
    }
  }
}

export function createApp(input: ConfigInput = {}, parts: AppParts = {}): Promise<App> {
  return App.start(input, parts);
}
