import type { IDisconnectPacket } from 'mqtt-packet';
import type { Identity } from './access.js';
import { type AedesClient, type Packet, takeReading } from './aedes-internals.js';
import type { Origin } from './capture.js';
import type { Message } from './delivery/message.js';
import type { Outbox } from './delivery/outbox.js';
import type { Output } from './delivery/output.js';
import type { TopicTable } from './delivery/topic-table.js';
import type { Flushable, Turn } from './delivery/turn.js';
import { type PacketFault, protocolError, unreadable } from './packet-fault.js';
import type { Publisher } from './pipeline.js';
import { readAcknowledgement } from './reading/acknowledgement-reader.js';
import { readConnect } from './reading/connect-reader.js';
import { Fields } from './reading/fields.js';
import { FrameReader } from './reading/frame-reader.js';
import { isAcknowledgement, readPacket, withFlags } from './reading/packet-reader.js';
import { type PublishLimits, PublishReader } from './reading/publish-reader.js';
import type { ReadingSocket } from './reading/socket.js';
import { refuse, refuseFirst } from './refusal.js';
import type { Session } from './session.js';

/** What is done with what a connected client sends. */
export interface Handlers {
  /** What was read at one moment is handled now. */
  moment(): void;
  publish(connection: Connection, message: Message): void;
  /** PUBACK, PUBREC, PUBREL or PUBCOMP, by its first byte. */
  acknowledge(connection: Connection, first: number, id: number, reason: number): void;
  other(connection: Connection, packet: Packet): void;
  /** The connection is not read, or is read again. */
  held(connection: Connection, held: boolean): void;
}

/** What all connections have in common. */
export interface ConnectionParts {
  /** Largest packet taken, bytes, and most levels of a topic. */
  readonly limits: PublishLimits & { readonly packetBytes: number; readonly topicLevels: number };
  readonly topics: TopicTable;
  readonly turn: Turn;
  readonly handlers: Handlers;
}

const CONNECT = 1;
const PUBLISH = 3;
/** A CONNECT is not longer, whatever else clients may send: there are seven fields of 64 KiB, and user properties. */
const MOST_CONNECT_BYTES = 512 * 1024;
/** A client that takes none of its acknowledgements is not read any more after about as many as there are identifiers. */
const MOST_UNANSWERED = 65_535;

/** After so many bytes it is the turn of the others: one that sends without end keeps nobody else waiting for long. */
const MOST_READ = 256 * 1024;

/** Nothing waits while a packet is read: one is enough for all connections. */
const FIELDS = new Fields();

const NOT_CONNECT = unreadable('the first packet is not CONNECT [MQTT-3.1.0-1]');
const PROLONGED = protocolError('a session that was to end with the connection cannot be prolonged');

/**
 * One connection, between the socket and the handlers: packets are handled one after the other, in the order of
 * arrival, none before the session is there. While something holds the connection, the socket is not read, and what was
 * read waits as bytes.
 */
export class Connection implements Flushable {
  readonly client: AedesClient;
  readonly output: Output;
  identity: Identity;
  /** Set when connected. */
  session: Session | null = null;
  outbox: Outbox | null = null;
  origin: Origin | null = null;
  publisher: Publisher | null = null;
  readonly #parts: ConnectionParts;
  readonly #frames: FrameReader;
  readonly #publishes: PublishReader;
  /** aedes' own handlers. */
  readonly #aedes: (packet: Packet) => void;
  /** Bytes read in this turn of the event loop. */
  #read = 0;
  #yields = false;
  #holds = 0;
  #reading = false;
  #begun = false;
  #greeted = false;
  /** The Session Expiry Interval of CONNECT, MQTT 5 section 3.1.2.11.2. */
  #sessionExpiry = 0;
  /** The client has said goodbye or broken the protocol: whatever else it sends is not handled. */
  #over = false;
  /** Packets handled since the socket last took all that was written to it. */
  #unanswered = 0;

  constructor(client: AedesClient, output: Output, identity: Identity, parts: ConnectionParts) {
    this.client = client;
    this.output = output;
    this.identity = identity;
    this.#parts = parts;
    this.#frames = new FrameReader(Math.min(parts.limits.packetBytes, MOST_CONNECT_BYTES));
    this.#publishes = new PublishReader(parts.topics, parts.limits);
    this.#aedes = takeReading(client, (chunk) => this.#arrived(chunk));
    (client.conn as ReadingSocket).wanted = () => this.#frames.wanted();
    client.subscriptions = Object.create(null) as typeof client.subscriptions;
  }

  /** The client has broken the protocol: whatever else it sends is not handled. */
  refuse(fault: PacketFault): void {
    this.#over = true;
    if (this.#greeted) refuse(this.client, this.output, fault);
    else refuseFirst(this.client, false, fault);
  }

  /** Leaves a packet to aedes. */
  passOn(packet: Packet): void {
    this.#aedes(packet);
  }

  /** Reads no more until `release` was called as often. */
  hold(): void {
    if (this.#holds === 0 && this.session !== null) this.#parts.handlers.held(this, true);
    this.#holds++;
    this.client.conn.pause();
  }

  /** Handles what was read already, then reads on. */
  release(): void {
    this.#holds--;
    if (this.#holds > 0) return;
    this.#parts.handlers.held(this, false);
    this.#readOn();
    this.#resume();
  }

  /** The turn ends. */
  flush(): void {
    this.#read = 0;
    if (!this.#yields) return;
    this.#yields = false;
    this.#resume();
  }

  /** A client that is not read cannot be heard pinging: its keep-alive starts anew. */
  keepAlive(): void {
    this.client._keepaliveTimer?.refresh();
  }

  #arrived(chunk: Buffer): void {
    if (this.#over) return;
    if (!this.#begun) {
      this.#begun = true;
      if (chunk[0] >> 4 !== CONNECT) {
        this.refuse(NOT_CONNECT);
        return;
      }
    }
    this.#frames.feed(chunk);
    this.#readOn();
    this.keepAlive();
    if (this.#read === 0) this.#parts.turn.add(this);
    this.#read += chunk.length;
    if (this.#read < MOST_READ || this.#yields) return;
    this.#yields = true;
    this.client.conn.pause();
  }

  #resume(): void {
    if (this.#holds === 0 && !this.#yields && !this.client.closed) this.client.conn.resume();
  }

  #readOn(): void {
    // Also called from within a handler: then the loop below goes on by itself.
    if (this.#reading) return;
    this.#reading = true;
    this.#parts.handlers.moment();
    const frames = this.#frames;
    const { conn } = this.client;
    while (this.#holds === 0 && !this.#over && frames.next()) {
      try {
        this.#frame(frames);
      } catch (error) {
        // Whatever a packet makes a handler throw ends this connection and nothing else.
        this.#over = true;
        this.client.emit('error', error);
      }
      this.#unanswered = conn.writableNeedDrain ? this.#unanswered + 1 : 0;
      if (this.#unanswered > MOST_UNANSWERED) this.#holdUntilDrained();
    }
    this.#reading = false;
    if (frames.fault !== null && !this.#over) this.refuse(frames.fault);
  }

  #holdUntilDrained(): void {
    this.#unanswered = 0;
    this.hold();
    this.client.conn.once('drain', () => this.release());
  }

  #frame(frames: FrameReader): void {
    const { client } = this;
    const { bytes, start, body } = frames;
    const first = bytes[start];
    if (!this.#greeted) {
      this.#greet(frames);
    } else if (first >> 4 === PUBLISH) {
      const message = this.#publishes.read(frames, client.version === 5);
      if (message !== null) this.#parts.handlers.publish(this, message);
      else this.refuse(this.#publishes.fault!);
    } else if (client.closed) {
      // What was published before the connection broke still counts; there is nobody to answer to.
    } else if (isPlainAcknowledgement(frames)) {
      this.#parts.handlers.acknowledge(this, first, (bytes[body] << 8) | bytes[body + 1], 0);
    } else {
      this.#other(frames);
    }
  }

  /** CONNECT. What follows waits until there is a session. */
  #greet({ bytes, start, body, end }: FrameReader): void {
    this.hold();
    // Will and password live as long as the connection: they must not pin the chunk that they came in.
    const own = Buffer.from(bytes.subarray(body, end));
    const fields = FIELDS.open(own, 0, own.length);
    const packet = readConnect(bytes[start], fields, this.#parts.limits.topicLevels);
    const version5 = packet.protocolVersion === 5;
    if (fields.fault !== null) {
      this.#over = true;
      refuseFirst(this.client, version5, fields.fault);
      return;
    }
    this.#greeted = true;
    this.#frames.mostBytes = this.#parts.limits.packetBytes;
    this.#frames.shortest = version5;
    this.#sessionExpiry = packet.properties?.sessionExpiryInterval ?? 0;
    this.#aedes(packet);
  }

  #other({ bytes, start, body, end }: FrameReader): void {
    const { version } = this.client;
    const { handlers } = this.#parts;
    const fields = FIELDS.open(bytes, body, end);
    // MQTT 3.1 says nothing of what is reserved.
    const first = version === 3 ? withFlags(bytes[start]) : bytes[start];
    if (isAcknowledgement(first)) {
      const { id, reason } = readAcknowledgement(first, fields, version === 5);
      if (fields.fault !== null) this.refuse(fields.fault);
      else handlers.acknowledge(this, first, id, reason);
      return;
    }
    const packet = readPacket(first, fields, version === 5);
    if (packet?.cmd === 'disconnect' && this.#prolongs(packet)) fields.fail(PROLONGED);
    if (packet === null || fields.fault !== null) {
      this.refuse(fields.fault!);
    } else {
      // Nothing may follow it [MQTT-3.14.4-1].
      if (packet.cmd === 'disconnect') this.#over = true;
      handlers.other(this, packet);
    }
  }

  /** A client that did not ask for a lasting session cannot do so when it goes (MQTT 5 section 3.14.2.2.2). */
  #prolongs({ properties }: IDisconnectPacket): boolean {
    return this.#sessionExpiry === 0 && (properties?.sessionExpiryInterval ?? 0) > 0;
  }
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP with nothing but an identifier. */
function isPlainAcknowledgement({ bytes, start, body, end }: FrameReader): boolean {
  const first = bytes[start];
  const acknowledges = first === 0x40 || first === 0x50 || first === 0x62 || first === 0x70;
  return acknowledges && end - body === 2 && (bytes[body] | bytes[body + 1]) > 0;
}
