import type { Duplex } from 'node:stream';
import { type Audit, NO_AUDIT } from '../audit.js';
import { type Access, type Identity, OPEN_ACCESS } from './access/access.js';
import { Admission, type AdmissionLimits } from './admission.js';
import {
  AedesBase,
  type AedesClient,
  type InProcessDeliver,
  type PublishPacket,
  type PublishProperties,
} from './aedes-internals.js';
import { type Capture, NO_CAPTURE } from './capture.js';
import { Connections } from './connections.js';
import type { OutboxLimits } from './delivery/bounds.js';
import { Message } from './delivery/message.js';
import { Router } from './delivery/router.js';
import type { ShareStrategy } from './delivery/share.js';
import type { Target } from './delivery/target.js';
import { TopicTable } from './delivery/topic-table.js';
import { Turn } from './delivery/turn.js';
import { variantOf } from './delivery/variant.js';
import { duplexPair } from './duplex-pair.js';
import { handleAcknowledgement } from './handlers/acks.js';
import { handleConnect } from './handlers/connect.js';
import { handlePacket } from './handlers/handlers.js';
import type { HandlerLimits, HandlerParts } from './handlers/parts.js';
import { handlePublish } from './handlers/publish.js';
import { InsidePublishing } from './inside-publishing.js';
import type { Log } from './log.js';
import { type Keys, Pipeline } from './pipeline.js';
import type { PublishLimits } from './reading/publish-reader.js';
import { Retained, type RetainedLimits } from './retained.js';
import { type SessionLimits, Sessions } from './sessions.js';
import { SharedInstance } from './shared-instance.js';
import { BrokerStats } from './stats.js';
import type { Store } from './store/store.js';
import { unawaited } from './store/unawaited.js';
import { NO_SYS, Sys, type SysOptions } from './sys/sys.js';
import { Wills } from './wills.js';

export interface BrokerLimits
  extends OutboxLimits,
    SessionLimits,
    RetainedLimits,
    HandlerLimits,
    PublishLimits,
    AdmissionLimits {
  /** Largest CONNECT taken, bytes. */
  readonly connectBytes: number;
}

export interface BrokerOptions {
  readonly id: string;
  readonly keys: Keys;
  readonly limits: BrokerLimits;
  readonly log: Log;
  /** Closed by whoever opened it. */
  readonly store: Store;
  /** Wall time, ms. */
  readonly wall?: () => number;
  readonly capture?: Capture;
  readonly access?: Access;
  readonly shareStrategy?: ShareStrategy;
  readonly audit?: Audit;
  readonly sys?: SysOptions;
  /** Milliseconds that only rise. */
  readonly now?: () => number;
}

/** What the rest of the house hears from the broker. */
export interface BrokerEvents {
  /** A client published on `$STREAM/...`; not `allowed`: it asks too often, and is to be told so. */
  onRequest: (packet: PublishPacket, who: Identity, allowed: boolean) => void;
  /** The transfer client published; it is ready for requests; it is gone. */
  onTransferPublish: (packet: PublishPacket) => void;
  onTransferReady: () => void;
  onTransferGone: () => void;
  /** Whether a message has gone out of this broker before, and is back. */
  hasReturned: (properties: PublishProperties) => boolean;
}

/**
 * aedes with our own way of a message: aedes does connections, sessions' CONNECT, keep-alive and wills; what comes
 * in on a connection goes through `Connection` and the handlers, every message through `Pipeline`, everything to a
 * client through its `Outbox`.
 */
export class Broker extends AedesBase {
  readonly stats = new BrokerStats();
  /** Asked by listeners, before anything of a connection is read. */
  readonly admission: Admission;
  readonly limits: BrokerLimits;
  readonly retained: Retained;
  readonly router: Router;
  readonly sessions: Sessions;
  readonly sys: Sys;
  readonly events: BrokerEvents = {
    onRequest: () => {},
    onTransferPublish: () => {},
    onTransferReady: () => {},
    onTransferGone: () => {},
    hasReturned: () => false,
  };
  readonly #topics: TopicTable;
  readonly log: Log;
  readonly #store: Store;
  readonly #access: Access;
  readonly #pipeline: Pipeline;
  readonly #inside: InsidePublishing;
  readonly #connections: Connections;
  readonly #wills: Wills;
  /** Somebody listens to aedes' event `publish`. */
  #watched = false;

  constructor(options: BrokerOptions) {
    const { id, keys, limits, log, store, capture = NO_CAPTURE, access = OPEN_ACCESS } = options;
    const { audit = NO_AUDIT, sys = NO_SYS, wall = Date.now, now = () => performance.now() } = options;
    super({
      id,
      persistence: store,
      maximumPacketSize: limits.packetBytes,
      connectTimeout: limits.connectTimeout,
      mq: inProcessEmitter(() => this.router),
    });
    this.clients = Object.create(null) as typeof this.clients;
    this.brokers = Object.create(null) as typeof this.brokers;
    this.admission = new Admission(limits, this.stats, log, audit, now);
    this.limits = limits;
    this.router = new Router(options.shareStrategy);
    this.retained = new Retained(id, limits, (packet) => unawaited(store.storeRetained(packet)));
    this.#topics = new TopicTable(limits.topicLevels, limits.topicBytes);
    this.#wills = new Wills({
      store,
      publish: (identity, packet, done) => this.#inside.publishWill(identity, packet, done),
    });
    this.sessions = new Sessions({
      router: this.router,
      access,
      limits,
      stats: this.stats,
      wills: this.#wills,
      store,
      partOf: (clientId) => store.partOf(clientId, this.#topics),
      newKey: () => {
        keys.look();
        return keys.give();
      },
      now: wall,
    });
    this.log = log;
    this.#store = store;
    this.#access = access;
    this.#pipeline = new Pipeline({
      brokerId: id,
      keys,
      capture,
      router: this.router,
      retained: this.retained,
      stats: this.stats,
      store: { written: () => store.unwritten, others: store.others },
      onFault: (error) => this.log.error({ err: error }, 'a message could not be stored or delivered'),
      onPublished: {
        wanted: () => this.#watched,
        call: (packet) => this.emit('publish', packet, null),
      },
    });
    this.#inside = new InsidePublishing({
      brokerId: id,
      keys,
      capture,
      access,
      pipeline: this.#pipeline,
      messageOf: (packet) => this.#message(packet),
      stats: this.stats,
      audit,
      log,
    });
    this.sys = new Sys(sys, this, this.#topics, (message) => this.#pipeline.deliver(message, noop));
    const parts: HandlerParts = {
      keys,
      wills: this.#wills,
      limits,
      monotonic: now,
      audit,
      pipeline: this.#pipeline,
      retained: this.retained,
      sysValues: this.sys.values,
      sessions: this.sessions,
      stats: this.stats,
      access,
      others: store.others,
      claim: (connection) => this.#connections.claim(connection),
      connected: (connection, session, packet) => this.#connections.connected(connection, session, packet),
      packetOf: (message) => message.packet(id),
      onRequest: (packet, who, allowed) => this.events.onRequest(packet, who, allowed),
      onTransferPublish: (packet) => this.events.onTransferPublish(packet),
      onTransferReady: () => this.events.onTransferReady(),
      hasReturned: (properties) => this.events.hasReturned(properties),
    };
    this.#connections = new Connections({
      limits,
      topics: this.#topics,
      turn: new Turn(),
      capture,
      sessions: this.sessions,
      stats: this.stats,
      admission: this.admission,
      audit,
      status: this.sys.status,
      access,
      onNamed: (client) => this._finishRegisterClient(client),
      onGone: (client) => this.unregisterClient(client),
      onTransferGone: () => this.events.onTransferGone(),
      handlers: {
        moment: () => keys.look(),
        publish: (connection, message) => handlePublish(parts, connection, message),
        acknowledge: handleAcknowledgement,
        connect: (connection, packet) => handleConnect(parts, connection, packet),
        other: (connection, packet) => handlePacket(parts, connection, packet),
        held: (connection, held) => this.#connections.setHeld(connection, held),
      },
    });
    access.onChange(() => this.sessions.reviewAll());
    const accept = this.handle;
    this.handle = (conn: Duplex) => this.#connections.accept(conn, accept, !this.closed);
    this.on('newListener', (event: string) => {
      if (event === 'publish') this.#watched = true;
    });
    this.on('error', (error: unknown) => log.error({ err: error }, 'aedes reported an error'));
    for (const event of ['clientError', 'connectionError'])
      this.on(event, (client: AedesClient, error: Error) => this.#connections.failed(client, error));
  }

  override async listen(): Promise<void> {
    await super.listen();
    await this.retained.load(this.#store.retained(), this.#topics);
    await this.sessions.load();
    await this.#wills.load((clientId) => this.sessions.get(clientId));
    await this.#store.others?.join(this.#shared());
    this.#connections.listen();
    this.sys.tree.start();
  }

  /** Publishes from inside. The key is given here. */
  override publish(packet: object, client: unknown, done?: unknown): void {
    const finished = (typeof client === 'function' ? client : done) as
      | ((error?: Error | null) => void)
      | undefined;
    const from = typeof client === 'function' ? null : (client as AedesClient | null);
    this.#inside.publish(packet, from?.id || null, finished);
  }

  /** To connected subscribers only; see `Pipeline.deliver`. */
  deliver(packet: PublishPacket, busy: (target: Target) => void): void {
    this.#pipeline.deliver(this.#message(packet), busy);
  }

  /** A stream to this broker for the transfer client that runs inside. */
  connectInside(): Duplex {
    const [ours, theirs] = duplexPair();
    this.#connections.markInside(ours);
    this.handle(ours);
    return theirs;
  }

  /**
   * Hands a request to one transfer client: one that runs by itself if there is one, else the one inside. False: none
   * has subscribed yet.
   */
  requestTransfer(packet: PublishPacket): boolean {
    let chosen: Target | null = null;
    for (const target of this.router.find(packet.topic).targets) {
      const client = this.clients[target.session.clientId];
      const identity = client === undefined ? null : this.#connections.identityOf(client);
      if (identity === null || !this.#access.isTransferClient(identity)) continue;
      if (chosen === null || !identity.inside) chosen = target;
    }
    const outbox = chosen?.session.outbox;
    if (outbox === null || outbox === undefined) return false;
    outbox.deliver(this.#message(packet), variantOf(outbox.version5, 1, false, null), 0);
    return true;
  }

  override subscribe(topic: string, deliver: InProcessDeliver, done?: () => void): void {
    this.router.addFunction(topic, deliver);
    if (done !== undefined) setImmediate(done);
  }

  override unsubscribe(topic: string, deliver: InProcessDeliver, done?: () => void): void {
    this.router.removeFunction(topic, deliver);
    if (done !== undefined) setImmediate(done);
  }

  /** aedes would forget whoever has the identifier now. */
  override unregisterClient(client: AedesClient): void {
    if (this.clients[client.id] === client) super.unregisterClient(client);
  }

  override scheduleSessionExpiry(): void {}

  get heldConnections(): number {
    return this.#connections.held;
  }

  /** Bytes and messages that wait for subscribers. */
  get queued(): { bytes: number; messages: number } {
    let bytes = 0;
    let messages = 0;
    for (const { outbox } of this.sessions.all()) {
      if (outbox === null) continue;
      bytes += outbox.queuedBytes;
      messages += outbox.waitingMessages;
    }
    return { bytes, messages };
  }

  override close(done?: () => void): void {
    this.sys.tree.stop();
    this.#connections.close();
    this.#wills.close();
    this.sessions.close();
    super.close(done);
  }

  #shared(): SharedInstance {
    return new SharedInstance({
      topics: this.#topics,
      sessions: this.sessions,
      retained: this.retained,
      wills: this.#wills,
      pipeline: this.#pipeline,
      connections: this.#connections,
      stats: this.stats,
    });
  }

  #message(packet: PublishPacket): Message {
    return Message.of(this.#topics.named(packet.topic), packet, Date.now());
  }
}

function noop(): void {}

/** aedes subscribes its own functions (`$SYS`) through this; messages never pass here. */
function inProcessEmitter(router: () => Router): object {
  return {
    on: (topic: string, deliver: InProcessDeliver) => router().addFunction(topic, deliver),
    removeListener: (topic: string, deliver: InProcessDeliver) => router().removeFunction(topic, deliver),
    emit: (_packet: unknown, done?: () => void) => done?.(),
    close: (done: () => void) => setImmediate(done),
  };
}
