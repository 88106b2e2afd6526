import type { AedesClient } from '../aedes-internals.js';
import type { BrokerStats } from '../stats.js';
import type { Backlog, Delivery, Sharing } from './backlog.js';
import { Bounds, type OutboxLimits } from './bounds.js';
import { expired } from './expiry.js';
import { type Awaited, awaitedOf, Inflight, PUBACK } from './inflight.js';
import type { Frame, Message } from './message.js';
import type { Output } from './output.js';
import { Relief } from './relief.js';
import { Settling } from './settling.js';
import { TopicAliases } from './topic-aliases.js';
import { type Variant, variantOf } from './variant.js';
import { Waiting } from './waiting.js';

/** Bytes not yet taken by the socket: above this a replay waits for its subscriber. */
const BUSY_BYTES = 256 * 1024;
const QUOTA_EXCEEDED = 0x97;
const PUBREL = 0x62;

/**
 * All PUBLISH packets to one connected client, in order and within bounds. What is beyond them: QoS 0 is dropped and
 * counted; with QoS 1 and 2 the client is disconnected (0x97), and its session, if it has a lasting one, keeps them.
 */
export class Outbox {
  readonly client: AedesClient;
  readonly version5: boolean;
  readonly #output: Output;
  readonly #backlog: Backlog;
  readonly #limits: OutboxLimits;
  readonly #stats: BrokerStats;
  /** Asked for what has waited, perhaps since another connection: rights may have changed. */
  readonly #mayReceive: (topic: string) => boolean;
  readonly #bounds: Bounds;
  /** null: its client has not asked for any. */
  readonly #aliases: TopicAliases | null;
  readonly #inflight = new Inflight();
  readonly #waiting = new Waiting();
  #closed = false;
  readonly #relief: Relief;
  readonly #settling: Settling;

  constructor(
    client: AedesClient,
    output: Output,
    backlog: Backlog,
    limits: OutboxLimits,
    stats: BrokerStats,
    topicAliasMaximum = 0,
    mayReceive: (topic: string) => boolean = () => true,
  ) {
    this.client = client;
    this.version5 = client.version === 5;
    this.#output = output;
    this.#backlog = backlog;
    this.#limits = limits;
    this.#stats = stats;
    this.#mayReceive = mayReceive;
    this.#bounds = new Bounds(client, limits);
    this.#aliases =
      this.version5 && topicAliasMaximum > 0
        ? new TopicAliases(topicAliasMaximum, this.#bounds.packetBytes)
        : null;
    this.#settling = new Settling(
      (delivery) => {
        if (!this.#closed) this.#write(delivery);
      },
      () => this.#pump(),
    );
    this.#relief = new Relief(() => !this.busy, limits.stalledAfter);
    client.conn.on('drain', () => {
      this.#relief.progress();
      this.#pump();
    });
    client.conn.once('close', () => this.close());
  }

  get waitingMessages(): number {
    return this.#waiting.messages;
  }

  /** Bytes of payload. */
  get waitingBytes(): number {
    return this.#waiting.bytes;
  }

  get queuedBytes(): number {
    return this.#waiting.bytes + this.#output.pendingBytes;
  }

  /** A replay should wait. */
  get busy(): boolean {
    return !this.#closed && (this.waitingMessages > 0 || this.#output.pendingBytes > BUSY_BYTES);
  }

  /** Those who publish to nobody but this client should wait. Not for one that takes nothing at all. */
  get congested(): boolean {
    return (
      (this.queuedBytes > this.#bounds.congestedBytes ||
        this.waitingMessages >= this.#bounds.congestedMessages) &&
      !this.#relief.stalled &&
      !this.#closed
    );
  }

  /** Calls back once, when no longer busy or when the client is gone. */
  onRelief(callback: () => void): void {
    if (this.busy) this.#relief.wait(callback, false);
    else callback();
  }

  /** As `onRelief`, for those who do not wait for a subscriber that takes nothing at all. */
  onReliefOrStall(callback: () => void): void {
    if (this.busy && !this.#relief.stalled) this.#relief.wait(callback, true);
    else callback();
  }

  /** A callback is not wanted any more. */
  stopWaiting(callback: () => void): void {
    this.#relief.cancel(callback);
  }

  /** Connected, and not about to be closed. */
  get open(): boolean {
    return !this.#closed && !this.client.closed;
  }

  /** Whether it takes a message without dropping it or disconnecting its client. */
  accepts(message: Message, variant: Variant): boolean {
    if (!this.open || this.#tooLarge(message, variant)) return false;
    const waits = this.#waiting.messages > 0;
    if (!waits && this.#open(variant.qos)) return true;
    return (waits || variant.qos > 0) && !this.#full(message);
  }

  /**
   * False: not taken, the client is or has just been disconnected. `key`: its place in the backlog, where it is until
   * it is acknowledged; 0: it is not kept.
   */
  deliver(message: Message, variant: Variant, key: number): boolean {
    if (this.#closed) return false;
    const { qos } = variant;
    const keep = key > 0;
    if (this.#waiting.messages === 0 && !keep && !this.#settling.busy) {
      if (qos === 0) {
        if (this.#output.pendingBytes > this.#bounds.mostBytes || this.#tooLarge(message, variant)) {
          this.#stats.dropped++;
        } else {
          this.#count(message);
          this.#output.publish(this.#frame(message, variant));
        }
        return true;
      }
      if (this.#open(qos) && !this.#tooLarge(message, variant)) {
        this.#count(message);
        this.#output.publishAs(this.#frame(message, variant), this.#inflight.add(qos), false);
        return true;
      }
    }
    return this.#take({ key, message, variant, sharing: null, kept: keep, id: 0, sent: false }, message);
  }

  /** The same for one of QoS 1 or 2 that came through a shared subscription: it is remembered until it is acknowledged. */
  deliverShared(message: Message, variant: Variant, key: number, sharing: Sharing): void {
    message.detach();
    this.#take({ key, message, variant, sharing, kept: key > 0, id: 0, sent: false }, message);
  }

  #take(delivery: Delivery, message: Message): boolean {
    const { variant, kept } = delivery;
    const waits = this.#waiting.messages > 0 || !this.#mayGo(delivery);
    if (waits && this.#full(message)) return this.#overflow(variant, kept);
    // Kept with its identifier, so that it is written once.
    if (kept && !waits) delivery.id = this.#inflight.add(delivery);
    if (kept) this.#backlog.keep(delivery);
    if (waits) this.#waiting.push(delivery);
    else if (kept) this.#sendNew(delivery);
    else {
      if (this.#settling.busy) message.detach();
      this.#send(delivery);
    }
    return true;
  }

  /** What came through shared subscriptions and is not acknowledged, in order. */
  shared(): Delivery[] {
    return [...this.#inflight, ...this.#waiting].filter(({ sharing }) => sharing !== null);
  }

  /** Gives up what came through a shared subscription that its session has left, as far as it was not sent. */
  giveUp(sharing: Sharing): Delivery[] {
    const given = this.#waiting.giveUp(sharing);
    for (const one of given) if (one.kept) this.#backlog.delete(one);
    this.#relief.look();
    return given;
  }

  /** Sends what the session's client has not acknowledged on earlier connections [MQTT-4.4.0-1]. */
  restore(): void {
    for (const delivery of this.#backlog.take()) {
      const { qos, retain, identifiers } = delivery.variant;
      delivery.variant = variantOf(this.version5, qos, retain, identifiers);
      if (delivery.id > 0) this.#inflight.reserve(delivery.id);
      this.#waiting.push(delivery);
    }
    this.#waiting.restored();
    this.#pump();
  }

  /** The client has acknowledged `id` for good, by PUBACK, PUBREC with an error, or PUBCOMP. False: it waits for another. */
  acknowledged(id: number, by: Awaited): boolean {
    const flying = this.#inflight.get(id);
    if (flying === undefined) return true;
    if (awaitedOf(flying) !== by) return false;
    this.#inflight.remove(id);
    if (typeof flying === 'object' && flying.kept) this.#backlog.delete(flying);
    this.#relief.progress();
    if (this.#waiting.messages > 0) this.#pump();
    return true;
  }

  /** PUBREC: PUBREL goes out. False: the message is of QoS 1. */
  received(id: number): boolean {
    const flying = this.#inflight.get(id);
    if (flying !== undefined && awaitedOf(flying) === PUBACK) return false;
    if (typeof flying === 'object' && flying.kept) {
      if (flying.message !== null) this.#backlog.release(flying);
      this.#settling.add(flying, this.#backlog.written());
    } else {
      // It is with this client now, and with nobody else.
      if (typeof flying === 'object') flying.message = null;
      else if (flying !== undefined) this.#inflight.release(id);
      this.#output.acknowledge(PUBREL, id, 0);
    }
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stats.dropped += this.#waiting.clear();
    this.#relief.close();
  }

  #open(qos: number): boolean {
    const bytes = this.#output.pendingBytes;
    if (qos === 0) return bytes <= this.#bounds.mostBytes;
    return this.#inflight.size < this.#bounds.window && bytes <= this.#bounds.socketBytes;
  }

  /** Nothing overtakes what waits for the store. */
  #mayGo(delivery: Delivery): boolean {
    return this.#open(delivery.variant.qos) && this.#settling.takes(delivery);
  }

  #full(message: Message): boolean {
    const { clientQueueBytes, clientQueueMessages } = this.#limits;
    const { newMessages, newBytes } = this.#waiting;
    const bytes = newBytes + this.#output.pendingBytes + message.payloadBytes;
    // One message always may wait, be it larger than the bound.
    return newMessages >= clientQueueMessages || (newMessages > 0 && bytes > clientQueueBytes);
  }

  #overflow({ qos }: Variant, keep: boolean): boolean {
    if (qos === 0 || this.#limits.whenClientQueueFull === 'drop') {
      this.#stats.dropped++;
      return true;
    }
    if (!keep) this.#stats.dropped++;
    this.#stats.quotaDisconnects++;
    this.close();
    this.client.disconnect({ reasonCode: QUOTA_EXCEEDED });
    return false;
  }

  /** One that waited. */
  #send(delivery: Delivery): void {
    const { message, variant, sharing, kept, id } = delivery;
    if (id > 0) {
      this.#inflight.addAgain(id, delivery);
      if (message !== null && !this.#mayGoOut(message, variant)) this.#drop(delivery);
      else this.#settling.add(delivery, null);
      return;
    }
    if (variant.qos > 0) {
      delivery.id = this.#inflight.add(kept || sharing !== null ? delivery : (variant.qos as Awaited));
    }
    if (kept) this.#backlog.identify(delivery);
    this.#sendNew(delivery);
  }

  /** One that has its identifier and was never sent. */
  #sendNew(delivery: Delivery): void {
    const { message, variant, kept } = delivery;
    // It is late only before it is sent for the first time (MQTT 5 section 3.3.2.3.3).
    const late = message!.expiry !== undefined && expired(message!, Date.now());
    if (late || !this.#mayGoOut(message!, variant)) this.#drop(delivery);
    // If the process ends, it must not be another message that comes under the same identifier [MQTT-4.3.3-2].
    else this.#settling.add(delivery, kept && variant.qos === 2 ? this.#backlog.written() : null);
  }

  #mayGoOut(message: Message, variant: Variant): boolean {
    return !this.#tooLarge(message, variant) && this.#mayReceive(message.topic);
  }

  #drop(delivery: Delivery): void {
    this.#stats.dropped++;
    if (delivery.id > 0) this.#inflight.remove(delivery.id);
    if (delivery.kept) this.#backlog.delete(delivery);
  }

  #write(delivery: Delivery): void {
    const { message, variant, id, sent } = delivery;
    delivery.sent = true;
    if (message === null) {
      this.#output.acknowledge(PUBREL, id, 0);
      return;
    }
    this.#count(message);
    if (variant.qos === 0) this.#output.publish(this.#frame(message, variant));
    else this.#output.publishAs(this.#frame(message, variant), id, sent);
  }

  #frame(message: Message, variant: Variant): Frame {
    return this.#aliases === null ? message.frame(variant) : this.#aliases.frame(message, variant);
  }

  #tooLarge(message: Message, variant: Variant): boolean {
    // The server acts as if it had completed sending the message [MQTT-3.1.2-25].
    const most = this.#bounds.packetBytes;
    return most < Number.POSITIVE_INFINITY && message.bytes(variant) > most;
  }

  #count({ payloadBytes }: Message): void {
    this.#stats.sent++;
    this.#stats.bytesSent += payloadBytes;
  }

  #pump(): void {
    for (let one = this.#waiting.first; one !== undefined; one = this.#waiting.first) {
      if (this.client.closed || !this.#mayGo(one)) break;
      this.#waiting.shift();
      this.#send(one);
    }
    this.#relief.look();
  }
}
