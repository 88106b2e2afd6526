import type { AedesClient, Persistence } from './aedes-internals.js';
import type { PublishFrames, Variant, Wire } from './publish-frame.js';
import type { BrokerStats } from './stats.js';

export interface OutboxLimits {
  /** Most bytes that wait for one client. */
  readonly clientQueueBytes: number;
  /** Most messages of QoS 1 and 2 that wait for one client. */
  readonly clientQueueMessages: number;
  /** Most messages of QoS 1 and 2 that one client has not acknowledged; its Receive Maximum may be less. */
  readonly inflight: number;
}

/** Above this a replay waits for its subscriber. Bytes not yet taken by the socket. */
const BUSY_BYTES = 256 * 1024;
const QUOTA_EXCEEDED = 0x97;

interface Waiting {
  readonly frames: PublishFrames;
  readonly variant: Variant;
  /** The message is in the persisted queue of the session too, which has to learn its packet identifier. */
  readonly stored: boolean;
}

/**
 * All PUBLISH packets to one connected client, in order and within bounds. It never makes a publisher wait: QoS 0
 * beyond the bound is dropped and counted; with QoS 1 and 2 the client is disconnected (0x97), and its session, if
 * it has a lasting one, keeps them.
 */
export class Outbox {
  readonly client: AedesClient;
  readonly #limits: OutboxLimits;
  readonly #stats: BrokerStats;
  readonly #persistence: Persistence;
  readonly #wire: Wire;
  readonly #window: number;
  /** Packet identifiers in use towards the client. */
  readonly #inflight = new Set<number>();
  #waiting: Waiting[] = [];
  #next = 0;
  #waitingBytes = 0;
  /** Live messages wait until those of before the connection have gone out. */
  #restoring = false;
  #closed = false;
  readonly #relief: (() => void)[] = [];

  constructor(client: AedesClient, persistence: Persistence, limits: OutboxLimits, stats: BrokerStats) {
    this.client = client;
    this.#persistence = persistence;
    this.#limits = limits;
    this.#stats = stats;
    this.#wire = client.conn;
    this.#window = Math.min(limits.inflight, client.receiveMaximum);
    client.conn.on('drain', () => this.#relieve());
    client.conn.once('close', () => this.close());
  }

  get version5(): boolean {
    return this.client.version === 5;
  }

  get waitingMessages(): number {
    return this.#waiting.length - this.#next;
  }

  get queuedBytes(): number {
    return this.#waitingBytes + this.client.conn.writableLength;
  }

  /** A replay should wait. */
  get busy(): boolean {
    return !this.#closed && (this.waitingMessages > 0 || this.client.conn.writableLength > BUSY_BYTES);
  }

  /** Calls back once, when no longer busy or when the client is gone. */
  onRelief(callback: () => void): void {
    if (this.busy) this.#relief.push(callback);
    else callback();
  }

  deliver(frames: PublishFrames, variant: Variant, stored: boolean): void {
    if (this.#closed) return;
    const most = this.client.maximumPacketSize;
    if (most !== undefined && frames.bytes(variant) > most) {
      // The server acts as if it had completed sending the message [MQTT-3.1.2-25].
      this.#stats.dropped++;
      return;
    }
    if (variant.qos === 0 && !this.#restoring && this.waitingMessages === 0) {
      if (this.client.conn.writableLength > this.#limits.clientQueueBytes) this.#stats.dropped++;
      else this.#write(frames, variant, 0);
      return;
    }
    if (this.#restoring || this.waitingMessages > 0 || !this.#open()) this.#wait({ frames, variant, stored });
    else this.#send({ frames, variant, stored });
  }

  /** Messages of before this connection are read from the store; live ones wait until `restored`. */
  restoring(): void {
    this.#restoring = true;
  }

  /** A stored message that is in flight already, under this identifier. */
  adopt(id: number): void {
    this.#inflight.add(id);
  }

  /** A stored message that is not in flight yet. */
  resend(frames: PublishFrames, variant: Variant): void {
    this.#send({ frames, variant, stored: true });
  }

  /** Live messages go on; stored ones up to key `last` were sent by `adopt` or `resend`. */
  restored(last: number): void {
    this.#restoring = false;
    const held = this.#waiting.slice(this.#next);
    this.#waiting = [];
    this.#next = 0;
    this.#waitingBytes = 0;
    for (const one of held) {
      if (!one.stored || (one.frames.packet.brokerCounter ?? 0) > last) {
        this.deliver(one.frames, one.variant, one.stored);
      }
    }
  }

  /** The client has acknowledged `id` for good: PUBACK, PUBCOMP, or PUBREC with an error. */
  acknowledged(id: number): void {
    if (!this.#inflight.delete(id)) return;
    this.#pump();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const one of this.#waiting.slice(this.#next)) if (!one.stored) this.#stats.dropped++;
    this.#waiting = [];
    this.#next = 0;
    this.#waitingBytes = 0;
    this.#relieve();
  }

  #open(): boolean {
    return (
      this.#inflight.size < this.#window && this.client.conn.writableLength <= this.#limits.clientQueueBytes
    );
  }

  #wait(one: Waiting): void {
    const { clientQueueBytes, clientQueueMessages } = this.#limits;
    const waiting = this.waitingMessages;
    // One message always may wait, be it larger than the bound.
    if (
      waiting >= clientQueueMessages ||
      (waiting > 0 && this.queuedBytes + one.frames.payloadBytes > clientQueueBytes)
    ) {
      if (!one.stored) this.#stats.dropped++;
      if (one.variant.qos > 0 && !this.client.closed) {
        this.#stats.quotaDisconnects++;
        this.client.disconnect({ reasonCode: QUOTA_EXCEEDED });
      }
      return;
    }
    one.frames.detach();
    this.#waiting.push(one);
    this.#waitingBytes += one.frames.payloadBytes;
  }

  #send({ frames, variant, stored }: Waiting): void {
    if (variant.qos === 0) {
      this.#write(frames, variant, 0);
      return;
    }
    const id = this.#freeId();
    this.#inflight.add(id);
    if (stored) {
      const { brokerId, brokerCounter } = frames.packet;
      this.#persistence
        .outgoingUpdate(this.client, { cmd: 'publish', brokerId, brokerCounter, messageId: id })
        .catch((error: unknown) => this.client.emit('error', error));
    }
    this.#write(frames, variant, id);
  }

  #write(frames: PublishFrames, variant: Variant, id: number): void {
    this.#stats.sent++;
    this.#stats.bytesSent += frames.payloadBytes;
    frames.write(this.#wire, variant, id);
  }

  #pump(): void {
    while (!this.#restoring && this.waitingMessages > 0 && this.#open()) {
      const one = this.#waiting[this.#next++];
      this.#waitingBytes -= one.frames.payloadBytes;
      this.#send(one);
    }
    if (this.#next > 1024 && this.#next * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#next);
      this.#next = 0;
    }
    this.#relieve();
  }

  #relieve(): void {
    if (this.#relief.length === 0 || this.busy) return;
    for (const callback of this.#relief.splice(0)) callback();
  }

  /** An identifier not in use; the window is smaller than their number. */
  #freeId(): number {
    let id = this.client._nextId;
    while (this.#inflight.has(id)) id = id >= 65_535 ? 1 : id + 1;
    this.client._nextId = id >= 65_535 ? 1 : id + 1;
    return id;
  }
}
