import mqttPacket from 'mqtt-packet';
import type { Identity } from './access.js';
import { type AedesClient, type Packet, takeDispatcher } from './aedes-internals.js';
import type { Origin } from './capture.js';
import type { Outbox } from './outbox.js';
import { type PacketFault, packetFault } from './packet-fault.js';
import { varIntBytes } from './publish-frame.js';
import type { Session } from './session.js';

/** Handles one packet of a connected client. False: nothing after it may be handled until `release`. */
export type PacketHandler = (connection: Connection, packet: Packet) => boolean;

export interface ConnectionLimits {
  /** Largest packet taken, bytes. */
  readonly packetBytes: number;
  readonly topicLevels: number;
}

/** A client that takes none of its acknowledgements is not read any more after as many as there are identifiers. */
const MOST_UNANSWERED = 65_535;

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
  readonly #limits: ConnectionLimits;
  readonly #handle: PacketHandler;
  /** aedes' own handlers. */
  readonly #aedes: (packet: Packet) => void;
  /** Packets that came while held; null: not held. */
  #pending: Packet[] | null = [];
  #greeted = false;
  /** The client has said goodbye or broken the protocol: whatever else it sends is not handled. */
  #over = false;
  /** Packets handled since the socket last took all that was written to it. */
  #unanswered = 0;

  constructor(client: AedesClient, identity: Identity, limits: ConnectionLimits, handle: PacketHandler) {
    this.client = client;
    this.identity = identity;
    this.#limits = limits;
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
    if (this.#over) return;
    if (!this.#greeted) {
      this.#greeted = true;
      if (!this.#acceptable(packet)) return;
      // What came in one piece with CONNECT waits here, the rest in the socket until aedes reads on.
      this.client._paused = true;
      // CONNECT, or something that aedes refuses [MQTT-3.1.0-1].
      this.#aedes(packet);
    } else if (this.#pending === null) {
      this.#guarded(packet);
    } else {
      this.#pending.push(packet);
    }
  }

  /** Whatever a packet makes a handler throw ends this connection and nothing else. False: held. */
  #guarded(packet: Packet): boolean {
    const { client } = this;
    // What was published before the connection broke still counts; there is nobody to answer to.
    if (this.#over || (client.closed && packet.cmd !== 'publish') || !this.#acceptable(packet)) return true;
    // Nothing may follow it [MQTT-3.14.4-1].
    if (packet.cmd === 'disconnect') this.#over = true;
    try {
      if (!this.#handle(this, packet)) return false;
    } catch (error) {
      client.emit('error', error);
    }
    this.#unanswered = client.conn.writableNeedDrain ? this.#unanswered + 1 : 0;
    if (this.#unanswered <= MOST_UNANSWERED) return true;
    this.hold();
    client.conn.once('drain', () => this.release());
    return false;
  }

  #acceptable(packet: Packet): boolean {
    const { packetBytes, topicLevels } = this.#limits;
    const size = packetBytesOf(packet);
    if (size > packetBytes) {
      this.#over = true;
      this.client.rejectPacketTooLarge(size);
      return false;
    }
    const fault = packetFault(packet, topicLevels);
    if (fault === null) return true;
    this.#over = true;
    this.#refuse(packet, fault);
    return false;
  }

  #refuse(packet: Packet, { text, reason }: PacketFault): void {
    const { client } = this;
    const error = new Error(text);
    if (client.version === 5) {
      client.broker.emit('clientError', client, error);
      client.disconnect({ reasonCode: reason });
    } else if (client.version === null && packet.cmd === 'connect' && packet.protocolVersion === 5) {
      const connack = { cmd: 'connack', reasonCode: reason, sessionPresent: false } as const;
      client.conn.end(mqttPacket.generate(connack, { protocolVersion: 5 }), () =>
        client.emit('error', error),
      );
    } else {
      client.emit('error', error);
    }
  }
}

function packetBytesOf({ length = 0 }: Packet): number {
  return 1 + varIntBytes(length) + length;
}
