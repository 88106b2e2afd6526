import type { IConnectPacket } from 'mqtt-packet';
import type { AuditedClient } from '../audit.js';
import { type Credentials, type Identity, NOT_AUTHORIZED } from './access/access.js';
import { type AedesClient, type Packet, takeReading } from './aedes-internals.js';
import { Answers } from './answers.js';
import type { Origin } from './capture.js';
import { Deadline } from './deadline.js';
import type { Message } from './delivery/message.js';
import type { Outbox } from './delivery/outbox.js';
import type { Output } from './delivery/output.js';
import type { TopicTable } from './delivery/topic-table.js';
import type { Flushable, Turn } from './delivery/turn.js';
import { PACKET_TOO_LARGE, type PacketFault, unreadable } from './packet-fault.js';
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
import type { BrokerStats } from './stats.js';
import type { TokenBucket } from './token-bucket.js';

/** What is done with what a connected client sends. */
export interface Handlers {
  /** What was read at one moment is handled now. */
  moment(): void;
  publish(connection: Connection, message: Message): void;
  /** PUBACK, PUBREC, PUBREL or PUBCOMP, by its first byte. */
  acknowledge(connection: Connection, first: number, id: number, reason: number): void;
  /** The first packet. */
  connect(connection: Connection, packet: IConnectPacket): Promise<void>;
  other(connection: Connection, packet: Packet): void;
  /** The connection is not read, or is read again. */
  held(connection: Connection, held: boolean): void;
}

/** What is known of the other end before it says anything. */
export type Peer = Pick<Credentials, 'address' | 'local' | 'inside' | 'certificate'>;

/** What all connections have in common. */
export interface ConnectionParts {
  /** Largest packet taken, the first one and any other, bytes; most levels of a topic. */
  readonly limits: PublishLimits & {
    readonly connectBytes: number;
    readonly packetBytes: number;
    readonly topicLevels: number;
  };
  readonly topics: TopicTable;
  readonly turn: Turn;
  readonly stats: BrokerStats;
  readonly handlers: Handlers;
}

const CONNECT = 1;
const PUBLISH = 3;
const KEEP_ALIVE_TIMEOUT = 0x8d;
/** A client that takes none of its acknowledgements is not read any more after about as many as there are identifiers. */
const MOST_UNANSWERED = 65_535;

/** After so many bytes it is the turn of the others: one that sends without end keeps nobody else waiting for long. */
const MOST_READ = 256 * 1024;

/** Nothing waits while a packet is read: one is enough for all connections. */
const FIELDS = new Fields();

const NOT_CONNECT = unreadable('the first packet is not CONNECT [MQTT-3.1.0-1]');

/**
 * One connection, between the socket and the handlers: packets are handled one after the other, in the order of
 * arrival, none before the session is there. While something holds the connection, the socket is not read, and what was
 * read waits as bytes.
 */
export class Connection implements Flushable {
  readonly client: AedesClient;
  readonly output: Output;
  readonly answers: Answers;
  readonly peer: Peer;
  /** Set when it has been let in. */
  identity: Identity | null = null;
  session: Session | null = null;
  /** Set when connected. */
  outbox: Outbox | null = null;
  origin: Origin | null = null;
  publisher: Publisher | null = null;
  /** How many topic aliases the client takes. */
  topicAliasMaximum = 0;
  /** How many messages of QoS 1 are not acknowledged yet. */
  unacknowledged = 0;
  /** How often it may publish, and ask; null: it did not yet, or may as it likes. */
  publishes: TokenBucket | null = null;
  requests: TokenBucket | null = null;
  /** Its client identifier and its session may be another connection's already. */
  left = false;
  /** Why it ends: the first reason, and the code of the DISCONNECT if it is known. */
  ending: { readonly code: number | null; readonly reason: string } | null = null;
  readonly #parts: ConnectionParts;
  readonly #frames: FrameReader;
  readonly #publishes: PublishReader;
  #keepAlive: NodeJS.Timeout | null = null;
  /** Bytes read in this turn of the event loop. */
  #read = 0;
  #yields = false;
  #holds = 0;
  #reading = false;
  #begun = false;
  #greeted = false;
  /** The client has said goodbye or broken the protocol: whatever else it sends is not handled. */
  #over = false;
  /** Packets handled since the socket last took all that was written to it. */
  #unanswered = 0;

  constructor(client: AedesClient, output: Output, peer: Peer, parts: ConnectionParts) {
    this.client = client;
    this.output = output;
    this.answers = new Answers(output, (error) => this.#fail(error));
    this.peer = peer;
    this.#parts = parts;
    this.#frames = new FrameReader(Math.min(parts.limits.connectBytes, parts.limits.packetBytes));
    this.#publishes = new PublishReader(parts.topics, parts.limits);
    takeReading(client, (chunk) => this.#arrived(chunk));
    (client.conn as ReadingSocket).wanted = () => this.#frames.wanted();
  }

  /** The client has broken the protocol: whatever else it sends is not handled. */
  refuse(fault: PacketFault): void {
    this.#over = true;
    this.ending ??= { code: this.client.version === 5 ? fault.reason : null, reason: fault.text };
    if (this.#greeted) refuse(this.client, this.output, fault);
    else refuseFirst(this.client, false, fault);
  }

  /** Who it is, for the audit. */
  get audited(): AuditedClient {
    return {
      client: this.client.id ?? null,
      user: this.identity?.user ?? null,
      address: this.peer.address,
    };
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.client.emit('error', error);
  }

  /** Goes on with the client's packets when what one of them has changed is `safe` and `then` was called; null: it is. */
  whenSafe(safe: Promise<void> | null, then: () => void): void {
    if (safe === null) {
      then();
      return;
    }
    this.hold();
    safe.then(
      () => {
        then();
        this.release();
      },
      (error: unknown) => this.client.emit('error', error),
    );
  }

  /** Writes what is to be written, then ends; whatever else the client sends is not handled. */
  end(): void {
    this.#over = true;
    const { client } = this;
    client.conn.end(() => client.close());
  }

  /** The client says something at least every so many seconds, or half as many more [MQTT-3.1.2-22]; 0: for ever. */
  keepAliveEvery(seconds: number): void {
    if (this.#keepAlive !== null) clearTimeout(this.#keepAlive);
    this.#keepAlive = seconds === 0 ? null : setTimeout(() => this.#silent(), seconds * 1500 + 1);
  }

  /** What the client has shown is valid so long; wall time, ms. */
  validUntil(time: number): void {
    const fault = { text: 'what the client has shown is not valid any more', reason: NOT_AUTHORIZED };
    const deadline = new Deadline(Math.max(0, time - Date.now()), () => this.refuse(fault));
    this.client.conn.once('close', () => deadline.cancel());
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
    this.#keepAlive?.refresh();
  }

  #silent(): void {
    this.refuse({ text: 'the client has not been heard for its keep-alive', reason: KEEP_ALIVE_TIMEOUT });
  }

  #arrived(chunk: Buffer): void {
    if (this.#over) return;
    this.#parts.stats.wireBytesReceived += chunk.length;
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
    const { stats } = this.#parts;
    while (this.#holds === 0 && !this.#over && frames.next()) {
      stats.packetsReceived++;
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
    if (frames.fault === null || this.#over) return;
    if (!this.#greeted && frames.fault.reason === PACKET_TOO_LARGE) this.#parts.stats.oversizedConnects++;
    this.refuse(frames.fault);
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
    } else if (client.closed || this.left) {
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
    this.#parts.stats.connects++;
    this.#frames.mostBytes = this.#parts.limits.packetBytes;
    this.#frames.shortest = version5;
    this.#parts.handlers.connect(this, packet).catch((error: unknown) => {
      this.#over = true;
      this.client.emit('error', error);
    });
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
    if (packet === null || fields.fault !== null) {
      this.refuse(fields.fault!);
    } else {
      // Nothing may follow it [MQTT-3.14.4-1].
      if (packet.cmd === 'disconnect') this.#over = true;
      handlers.other(this, packet);
    }
  }
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP with nothing but an identifier. */
function isPlainAcknowledgement({ bytes, start, body, end }: FrameReader): boolean {
  const first = bytes[start];
  const acknowledges = first === 0x40 || first === 0x50 || first === 0x62 || first === 0x70;
  return acknowledges && end - body === 2 && (bytes[body] | bytes[body + 1]) > 0;
}
