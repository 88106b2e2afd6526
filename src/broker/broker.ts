import type { Duplex } from 'node:stream';
import { isOwnTopic } from '../topics.js';
import {
  AedesBase,
  type AedesClient,
  type InProcessDeliver,
  isClientDelivery,
  type PublishPacket,
  type PublishProperties,
  storeWithoutSessions,
} from './aedes-internals.js';
import { type Capture, NO_CAPTURE, type Origin } from './capture.js';
import { Connections } from './connections.js';
import { Message } from './delivery/message.js';
import type { OutboxLimits } from './delivery/outbox.js';
import { Router, type Target } from './delivery/router.js';
import { TopicTable } from './delivery/topic-table.js';
import { Turn } from './delivery/turn.js';
import { variantOf } from './delivery/variant.js';
import { handleAcknowledgement } from './handlers/acks.js';
import { handlePacket } from './handlers/handlers.js';
import type { HandlerParts } from './handlers/parts.js';
import { handlePublish } from './handlers/publish.js';
import { insidePublisher } from './inside-publisher.js';
import type { Log } from './log.js';
import { type Keys, NOBODY, Pipeline } from './pipeline.js';
import { Retained } from './retained.js';
import { Sessions } from './sessions.js';
import { BrokerStats } from './stats.js';

export interface BrokerLimits extends OutboxLimits {
  /** Largest packet taken, bytes. */
  readonly packetBytes: number;
  readonly connections: number;
  readonly topicLevels: number;
}

export interface BrokerOptions {
  readonly id: string;
  readonly keys: Keys;
  readonly limits: BrokerLimits;
  readonly log: Log;
  readonly capture?: Capture;
}

/** What the rest of the house hears from the broker. */
export interface BrokerEvents {
  /** A client published on `$STREAM/...`. */
  onRequest: (packet: PublishPacket, clientId: string) => void;
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
  readonly retained: Retained;
  readonly router = new Router();
  readonly sessions: Sessions;
  readonly events: BrokerEvents = {
    onRequest: () => {},
    onTransferPublish: () => {},
    onTransferReady: () => {},
    onTransferGone: () => {},
    hasReturned: () => false,
  };
  readonly #topics: TopicTable;
  readonly #log: Log;
  readonly #capture: Capture;
  readonly #keys: Keys;
  readonly #own: Origin;
  readonly #pipeline: Pipeline;
  readonly #connections: Connections;
  /** Somebody listens to aedes' event `publish`. */
  #watched = false;

  constructor({ id, keys, limits, log, capture = NO_CAPTURE }: BrokerOptions) {
    super({
      id,
      persistence: storeWithoutSessions((clientId) => this.sessions.get(clientId)?.lasting === true),
      maximumPacketSize: limits.packetBytes,
      mq: inProcessEmitter(() => this.router),
      authenticate: (
        client: AedesClient,
        user: string | undefined,
        _password: unknown,
        done: Authenticated,
      ) => {
        this.#connections.identify(client, user);
        done(null, true);
      },
      authorizePublish: (_client: unknown, packet: { topic: string }, done: (error?: Error) => void) =>
        // Only wills come this way, whoever's they are.
        isOwnTopic(packet.topic) ? done(new Error('a will cannot be on a reserved topic')) : done(),
    });
    this.clients = Object.create(null) as typeof this.clients;
    this.brokers = Object.create(null) as typeof this.brokers;
    this.retained = new Retained(id);
    this.#topics = new TopicTable(limits.topicLevels);
    this.sessions = new Sessions(this.router, limits, this.stats);
    this.#log = log;
    this.#capture = capture;
    this.#keys = keys;
    this.#own = capture.origin(null);
    this.#pipeline = new Pipeline({
      brokerId: id,
      keys,
      capture,
      router: this.router,
      retained: this.retained,
      stats: this.stats,
      persistence: () => this.persistence,
      onFault: (error) => this.#log.error({ err: error }, 'a message could not be stored or delivered'),
      onPublished: {
        wanted: () => this.#watched,
        call: (packet) => this.emit('publish', packet, null),
      },
    });
    const parts: HandlerParts = {
      limits,
      log,
      pipeline: this.#pipeline,
      retained: this.retained,
      sessions: this.sessions,
      stats: this.stats,
      packetOf: (message) => message.packet(id),
      onRequest: (packet, clientId) => this.events.onRequest(packet, clientId),
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
      log,
      onTransferGone: () => this.events.onTransferGone(),
      handlers: {
        moment: () => keys.look(),
        publish: (connection, message) => handlePublish(parts, connection, message),
        acknowledge: handleAcknowledgement,
        other: (connection, packet) => handlePacket(parts, connection, packet),
        held: (connection, held) => this.#connections.setHeld(connection, held),
      },
    });
    const accept = this.handle;
    this.handle = (conn: Duplex) => this.#connections.accept(conn, accept, !this.closed);
    this.on('newListener', (event: string) => {
      if (event === 'publish') this.#watched = true;
    });
    this.on('error', (error: unknown) => log.error({ err: error }, 'aedes reported an error'));
    this.on('clientError', (client: AedesClient, error: Error) =>
      log.info({ client: client.id, reason: error.message }, 'a client was disconnected'),
    );
    this.on('connectionError', (_client: AedesClient, error: Error) =>
      log.info({ reason: error.message }, 'a connection was refused'),
    );
  }

  override async listen(): Promise<void> {
    await super.listen();
    await this.retained.load(this.persistence, this.#topics);
    this.#connections.listen();
  }

  /** Publishes from inside: the embedder's messages, wills, and aedes' own `$SYS`. The key is given here. */
  override publish(packet: object, client: unknown, done?: unknown): void {
    const finished = (typeof client === 'function' ? client : done) as
      | ((error?: Error | null) => void)
      | undefined;
    const from = typeof client === 'function' ? null : (client as AedesClient | null);
    const whole = { cmd: 'publish', qos: 0, retain: false, dup: false, ...packet } as PublishPacket;
    whole.payload = Buffer.isBuffer(whole.payload) ? whole.payload : Buffer.from(whole.payload ?? '');
    const origin = from?.id ? this.#capture.origin(from.id) : this.#own;
    try {
      this.#keys.look();
      const message = this.#message(whole);
      // Whoever published it may write over it at once.
      message.detach();
      this.#pipeline.publish(message, origin, finished === undefined ? NOBODY : insidePublisher(finished));
    } catch (error) {
      // aedes publishes wills in the middle of closing a connection, where nobody catches.
      this.#log.error({ err: error, topic: whole.topic }, 'a message could not be published');
      finished?.(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** To connected subscribers only; see `Pipeline.deliver`. */
  deliver(packet: PublishPacket, busy: (target: Target) => void): void {
    this.#pipeline.deliver(this.#message(packet), busy);
  }

  /**
   * Hands a request to one transfer client: one that runs by itself if there is one, else the embedded one. False:
   * none has subscribed yet.
   */
  requestTransfer(packet: PublishPacket, embeddedId: string | null): boolean {
    let chosen: Target | null = null;
    for (const target of this.router.find(packet.topic).targets) {
      const client = this.clients[target.session.clientId];
      if (client === undefined || !this.#connections.isTransferClient(client)) continue;
      if (chosen === null || chosen.session.clientId === embeddedId) chosen = target;
    }
    const outbox = chosen?.session.outbox;
    if (outbox === null || outbox === undefined) return false;
    outbox.deliver(this.#message(packet), variantOf(outbox.version5, 1, false, null), false);
    return true;
  }

  override subscribe(topic: string, deliver: InProcessDeliver, done?: () => void): void {
    if (!isClientDelivery(deliver)) this.router.addFunction(topic, deliver);
    if (done !== undefined) setImmediate(done);
  }

  override unsubscribe(topic: string, deliver: InProcessDeliver, done?: () => void): void {
    this.router.removeFunction(topic, deliver);
    if (done !== undefined) setImmediate(done);
  }

  override _wipeSession(client: AedesClient): void {
    super._wipeSession(client);
    const session = this.sessions.get(client.id);
    // Another connection of the same client may have taken the session over.
    if (session !== undefined && (session.outbox ?? { client }).client === client) this.sessions.end(session);
  }

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
    this.#connections.close();
    super.close(done);
  }

  #message(packet: PublishPacket): Message {
    return Message.of(this.#topics.named(packet.topic), packet, Date.now());
  }
}

type Authenticated = (error: Error | null, ok: boolean) => void;

/** aedes subscribes its own functions (`$SYS`) through this; messages never pass here. */
function inProcessEmitter(router: () => Router): object {
  return {
    on: (topic: string, deliver: InProcessDeliver) => router().addFunction(topic, deliver),
    removeListener: (topic: string, deliver: InProcessDeliver) => router().removeFunction(topic, deliver),
    emit: (_packet: unknown, done?: () => void) => done?.(),
    close: (done: () => void) => setImmediate(done),
  };
}
