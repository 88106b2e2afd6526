import type { Identity } from './access.js';
import { type AedesClient, type Packet, takeDispatcher } from './aedes-internals.js';
import type { Origin } from './capture.js';
import type { Outbox } from './outbox.js';
import type { Session } from './session.js';

/** Handles one packet of a connected client. False: nothing after it may be handled until `release`. */
export type PacketHandler = (connection: Connection, packet: Packet) => boolean;

/** Packets taken in before CONNACK; aedes has the same bound. */
const MOST_EARLY = 42;

/**
 * One connection, between aedes' parser and the handlers: packets are handled one after the other, in the order of
 * arrival, none before the session is there. While a publish waits for room in a ring, the socket is not read.
 */
export class Connection {
  readonly client: AedesClient;
  identity: Identity;
  /** Set when connected. */
  session: Session | null = null;
  outbox: Outbox | null = null;
  origin: Origin | null = null;
  readonly #handle: PacketHandler;
  /** aedes' own handlers. */
  readonly #aedes: (packet: Packet) => void;
  /** Packets that came while held; null: not held. */
  #pending: Packet[] | null = [];
  #greeted = false;

  constructor(client: AedesClient, identity: Identity, handle: PacketHandler) {
    this.client = client;
    this.identity = identity;
    this.#handle = handle;
    this.#aedes = takeDispatcher(client);
    client.subscriptions = Object.create(null) as typeof client.subscriptions;
    client._parser.on('packet', (packet: Packet) => this.#arrived(packet));
  }

  /** Leaves a packet to aedes. */
  passOn(packet: Packet): void {
    this.#aedes(packet);
  }

  /** Reads no more until `release`. */
  hold(): void {
    this.#pending ??= [];
    this.client._paused = true;
  }

  /** Handles what came meanwhile, then reads on. */
  release(): void {
    const pending = this.#pending ?? [];
    this.#pending = null;
    for (let i = 0; i < pending.length; i++) {
      if (this.#guarded(pending[i])) continue;
      this.#pending = pending.slice(i + 1);
      return;
    }
    if (!this.client.closed) this.client.resume();
  }

  /** A client that is not read cannot be heard pinging: its keep-alive starts anew. */
  keepAlive(): void {
    this.client._keepaliveTimer?.refresh();
  }

  #arrived(packet: Packet): void {
    if (!this.#greeted) {
      this.#greeted = true;
      // CONNECT, or something that aedes refuses [MQTT-3.1.0-1].
      this.#aedes(packet);
    } else if (this.#pending === null) {
      this.#guarded(packet);
    } else if (this.session === null && this.#pending.length >= MOST_EARLY) {
      this.client.emit('error', new Error('too many packets before CONNACK'));
    } else {
      this.#pending.push(packet);
    }
  }

  /** Whatever a packet makes a handler throw ends this connection and nothing else. */
  #guarded(packet: Packet): boolean {
    try {
      return this.#handle(this, packet);
    } catch (error) {
      this.client.emit('error', error);
      return true;
    }
  }
}
