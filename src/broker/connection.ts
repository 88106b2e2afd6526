import type { Identity } from './access.js';
import { type AedesClient, type Packet, type PublishPacket, takeReading } from './aedes-internals.js';
import type { Origin } from './capture.js';
import { Message } from './delivery/message.js';
import type { Outbox } from './delivery/outbox.js';
import type { Output } from './delivery/output.js';
import type { TopicTable } from './delivery/topic-table.js';
import type { Flushable, Turn } from './delivery/turn.js';
import { MALFORMED_PACKET, type PacketFault } from './packet-fault.js';
import type { Publisher } from './pipeline.js';
import { FrameReader } from './reading/frame-reader.js';
import { packetFault } from './reading/packet-check.js';
import { PublishReader } from './reading/publish-reader.js';
import type { ReadingSocket } from './reading/socket.js';
import { refuse, refuseFirst } from './refusal.js';
import type { Session } from './session.js';
import type { TokenBucket } from './token-bucket.js';

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
  readonly limits: { readonly packetBytes: number; readonly topicLevels: number };
  readonly topics: TopicTable;
  readonly turn: Turn;
  readonly handlers: Handlers;
}

const PUBLISH = 3;
/** A client that takes none of its acknowledgements is not read any more after about as many as there are identifiers. */
const MOST_UNANSWERED = 65_535;

/** After so many bytes it is the turn of the others: one that sends without end keeps nobody else waiting for long. */
const MOST_READ = 256 * 1024;

/**
 * One connection, between the socket and the handlers: packets are handled one after the other, in the order of
 * arrival, none before the session is there. What is not PUBLISH or a plain acknowledgement mqtt-packet parses. While
 * something holds the connection, the socket is not read, and what was read waits as bytes.
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
  /** How many messages of QoS 1 are not acknowledged yet. */
  unacknowledged = 0;
  /** How often it may publish, and ask; null: it did not yet, or may as it likes. */
  publishes: TokenBucket | null = null;
  requests: TokenBucket | null = null;
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
  #greeted = false;
  /** The client has said goodbye or broken the protocol: whatever else it sends is not handled. */
  #over = false;
  /** Packets handled since the socket last took all that was written to it. */
  #unanswered = 0;

  constructor(client: AedesClient, output: Output, identity: Identity, parts: ConnectionParts) {
    this.client = client;
    this.output = output;
    this.identity = identity;
    this.#parts = parts;
    this.#frames = new FrameReader(parts.limits.packetBytes);
    this.#publishes = new PublishReader(parts.topics);
    this.#aedes = takeReading(client, (chunk) => this.#arrived(chunk));
    (client.conn as ReadingSocket).wanted = () => this.#frames.wanted();
    client.subscriptions = Object.create(null) as typeof client.subscriptions;
    client._parser.on('packet', (packet: Packet) => this.#parsed(packet));
    client._parser.on('error', () => {
      this.#over = true;
    });
  }

  /** Leaves a packet to aedes. */
  passOn(packet: Packet): void {
    this.#aedes(packet);
  }

  /** Ends it for a fault: nothing more of what it sends is handled. */
  refuse(fault: PacketFault): void {
    this.#over = true;
    refuse(this.client, fault);
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
    if (frames.fault !== null && !this.#over) this.#unreadable();
  }

  #holdUntilDrained(): void {
    this.#unanswered = 0;
    this.hold();
    this.client.conn.once('drain', () => this.release());
  }

  #frame(frames: FrameReader): void {
    const { client } = this;
    const { bytes, start, body, end } = frames;
    const first = bytes[start];
    const type = first >> 4;
    if (!this.#greeted) {
      // CONNECT, or something that aedes refuses [MQTT-3.1.0-1]. What follows waits until there is a session.
      this.hold();
      client._parser.parse(bytes.subarray(start, end));
    } else if (type === PUBLISH) {
      const message = this.#publishes.read(frames, client.version === 5);
      if (message !== null) this.#parts.handlers.publish(this, message);
      else if (this.#publishes.fault !== null) this.refuse(this.#publishes.fault);
      else client._parser.parse(bytes.subarray(start, end));
    } else if (client.closed) {
      // What was published before the connection broke still counts; there is nobody to answer to.
    } else if (isPlainAcknowledgement(frames)) {
      this.#parts.handlers.acknowledge(this, first, (bytes[body] << 8) | bytes[body + 1], 0);
    } else {
      client._parser.parse(bytes.subarray(start, end));
    }
  }

  /** A packet that mqtt-packet has made of its bytes. */
  #parsed(packet: Packet): void {
    const fault = packetFault(packet, this.#parts.limits.topicLevels);
    if (fault !== null) {
      this.#over = true;
      if (this.#greeted) refuse(this.client, fault);
      else refuseFirst(this.client, packet, fault);
    } else if (!this.#greeted) {
      this.#greeted = true;
      this.#aedes(packet);
    } else if (packet.cmd === 'publish') {
      const topic = this.#parts.topics.named(packet.topic);
      if (topic.fault !== null) this.refuse(topic.fault);
      else this.#parts.handlers.publish(this, Message.of(topic, packet as PublishPacket, Date.now()));
    } else {
      // Nothing may follow it [MQTT-3.14.4-1].
      if (packet.cmd === 'disconnect') this.#over = true;
      this.#parts.handlers.other(this, packet);
    }
  }

  #unreadable(): void {
    if (this.#frames.fault === 'malformed') {
      this.refuse({ text: 'the remaining length is malformed [MQTT-1.5.5-1]', reason: MALFORMED_PACKET });
    } else {
      this.#over = true;
      this.client.rejectPacketTooLarge(this.#frames.size);
    }
  }
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP with nothing but an identifier. */
function isPlainAcknowledgement({ bytes, start, body, end }: FrameReader): boolean {
  const first = bytes[start];
  const acknowledges = first === 0x40 || first === 0x50 || first === 0x62 || first === 0x70;
  return acknowledges && end - body === 2 && (bytes[body] | bytes[body + 1]) > 0;
}
