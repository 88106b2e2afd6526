import type { AedesClient } from './aedes-internals.js';
import type { Backlog, BacklogLimits, Delivery } from './backlog.js';
import { expired } from './expiry.js';
import { Fifo } from './fifo.js';
import { writeAck } from './packet-writer.js';
import type { PublishFrames, Variant } from './publish-frame.js';
import type { BrokerStats } from './stats.js';

export interface OutboxLimits extends BacklogLimits {
  /** Most messages of QoS 1 and 2 that one client has not acknowledged; its Receive Maximum may be less. */
  readonly inflight: number;
}

/** Bytes not yet taken by the socket: above this a replay waits for its subscriber. */
const BUSY_BYTES = 256 * 1024;
/** And above this QoS 1 and 2 wait here: what a reconnected client missed must not use up the bound at once. */
const SOCKET_BYTES = 1024 * 1024;
const QUOTA_EXCEEDED = 0x97;

/**
 * All PUBLISH packets to one connected client, in order and within bounds. It never makes a publisher wait: QoS 0
 * beyond the bound is dropped and counted; with QoS 1 and 2 the client is disconnected (0x97), and its session, if
 * it has a lasting one, keeps them.
 */
export class Outbox {
  readonly client: AedesClient;
  readonly #backlog: Backlog;
  readonly #limits: OutboxLimits;
  readonly #stats: BrokerStats;
  readonly #window: number;
  readonly #socketBytes: number;
  /** By packet identifier, sent and not acknowledged; null if nothing of it is needed any more. */
  readonly #inflight = new Map<number, Delivery | null>();
  /** Identifiers of messages that were sent on an earlier connection and are not yet sent again. */
  readonly #reserved = new Set<number>();
  #nextId = 1;
  readonly #waiting = new Fifo<Delivery>();
  #waitingBytes = 0;
  /** The part of what waits that waited before the connection: the bounds are for what came since. */
  #restored = { messages: 0, bytes: 0 };
  #closed = false;
  readonly #relief: (() => void)[] = [];

  constructor(client: AedesClient, backlog: Backlog, limits: OutboxLimits, stats: BrokerStats) {
    this.client = client;
    this.#backlog = backlog;
    this.#limits = limits;
    this.#stats = stats;
    this.#window = Math.min(limits.inflight, client.receiveMaximum);
    // Below the stream's own mark there is no 'drain' to go on with.
    const least = client.conn.writableHighWaterMark;
    this.#socketBytes = Math.max(least, Math.min(limits.clientQueueBytes / 2, SOCKET_BYTES));
    client.conn.on('drain', () => this.#pump());
    client.conn.once('close', () => this.close());
  }

  get version5(): boolean {
    return this.client.version === 5;
  }

  get waitingMessages(): number {
    return this.#waiting.length;
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

  /** False: not taken, the client is or has just been disconnected. `keep`: in the backlog until acknowledged. */
  deliver(frames: PublishFrames, variant: Variant, keep: boolean): boolean {
    if (this.#closed) return false;
    if (variant.qos === 0 && this.waitingMessages === 0) {
      if (!this.#open(variant) || this.#tooLarge(frames, variant)) this.#stats.dropped++;
      else this.#write(frames, variant, 0, false);
      return true;
    }
    const delivery = { frames, variant, kept: false, id: 0, released: false };
    const waits = this.waitingMessages > 0 || !this.#open(variant);
    if (waits && this.#full(delivery)) return this.#overflow(variant, keep);
    if (keep) this.#backlog.keep(delivery);
    if (waits) this.#wait(delivery);
    else this.#send(delivery);
    return true;
  }

  /** Sends what the session's client has not acknowledged on earlier connections [MQTT-4.4.0-1]. */
  restore(): void {
    for (const delivery of this.#backlog) {
      delivery.variant = { ...delivery.variant, version5: this.version5 };
      if (delivery.id > 0) this.#reserved.add(delivery.id);
      this.#wait(delivery);
    }
    this.#restored = { messages: this.waitingMessages, bytes: this.#waitingBytes };
    this.#pump();
  }

  /** The client has acknowledged `id` for good: PUBACK, PUBCOMP, or PUBREC with an error. */
  acknowledged(id: number): void {
    const delivery = this.#inflight.get(id);
    if (delivery === undefined) return;
    this.#inflight.delete(id);
    if (delivery !== null) this.#backlog.delete(delivery);
    this.#pump();
  }

  /** PUBREC. False: no message with this identifier is in flight. */
  received(id: number): boolean {
    const delivery = this.#inflight.get(id);
    if (delivery) delivery.released = true;
    return delivery !== undefined;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { kept } of this.#waiting) if (!kept) this.#stats.dropped++;
    this.#waiting.clear();
    this.#waitingBytes = 0;
    this.#relieve();
  }

  #open({ qos }: Variant): boolean {
    const { writableLength } = this.client.conn;
    if (qos === 0) return writableLength <= Math.max(this.#limits.clientQueueBytes, this.#socketBytes);
    return this.#inflight.size < this.#window && writableLength <= this.#socketBytes;
  }

  #full({ frames }: Delivery): boolean {
    const { clientQueueBytes, clientQueueMessages } = this.#limits;
    const waiting = this.waitingMessages - this.#restored.messages;
    const bytes = this.queuedBytes - this.#restored.bytes + frames.payloadBytes;
    // One message always may wait, be it larger than the bound.
    return waiting >= clientQueueMessages || (waiting > 0 && bytes > clientQueueBytes);
  }

  #overflow({ qos }: Variant, keep: boolean): boolean {
    if (!keep) this.#stats.dropped++;
    if (qos === 0) return true;
    this.#stats.quotaDisconnects++;
    this.close();
    this.client.disconnect({ reasonCode: QUOTA_EXCEEDED });
    return false;
  }

  #wait(delivery: Delivery): void {
    delivery.frames.detach();
    this.#waiting.push(delivery);
    this.#waitingBytes += delivery.frames.payloadBytes;
  }

  #send(delivery: Delivery): void {
    const { frames, variant, kept, id, released } = delivery;
    const again = id > 0;
    if (again) this.#reserved.delete(id);
    // One that was sent already is not late any more (MQTT 5 section 3.3.2.3.3).
    const late = !again && frames.packet.messageExpiry !== undefined && expired(frames.packet, Date.now());
    if (late || (!released && this.#tooLarge(frames, variant))) {
      this.#stats.dropped++;
      this.#backlog.delete(delivery);
      return;
    }
    if (variant.qos > 0) {
      if (!again) delivery.id = this.#freeId();
      this.#inflight.set(delivery.id, kept ? delivery : null);
    }
    if (released) writeAck(this.client, 'pubrel', id, 0);
    else this.#write(frames, variant, delivery.id, again);
  }

  #tooLarge(frames: PublishFrames, variant: Variant): boolean {
    // The server acts as if it had completed sending the message [MQTT-3.1.2-25].
    const most = this.client.maximumPacketSize;
    return most !== undefined && frames.bytes(variant) > most;
  }

  #write(frames: PublishFrames, variant: Variant, id: number, again: boolean): void {
    this.#stats.sent++;
    this.#stats.bytesSent += frames.payloadBytes;
    frames.write(this.client.conn, variant, id, again);
  }

  #pump(): void {
    for (let one = this.#waiting.first; one !== undefined; one = this.#waiting.first) {
      if (this.client.closed || !this.#open(one.variant)) break;
      const bytes = one.frames.payloadBytes;
      this.#waiting.shift();
      this.#waitingBytes -= bytes;
      if (this.#restored.messages > 0) {
        this.#restored.messages--;
        this.#restored.bytes -= bytes;
      }
      this.#send(one);
    }
    this.#relieve();
  }

  #relieve(): void {
    if (this.#relief.length === 0 || this.busy) return;
    for (const callback of this.#relief.splice(0)) callback();
  }

  /** An identifier not in use; the window is smaller than their number. */
  #freeId(): number {
    let id = this.#nextId;
    while (this.#inflight.has(id) || this.#reserved.has(id)) id = id >= 65_535 ? 1 : id + 1;
    this.#nextId = id >= 65_535 ? 1 : id + 1;
    return id;
  }
}
