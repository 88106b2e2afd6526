import type { IConnackPacket } from 'mqtt';
import { generate } from 'mqtt-packet';
import type { Bucket } from './bucket.js';
import type { Link, Refused } from './link.js';
import type { Outgoing } from './outgoing.js';
import type { BridgeStats } from './stats.js';
import type { BridgeTime } from './time.js';

export interface SenderParts {
  /** Messages sent and not acknowledged; the other broker's Receive Maximum may be less. */
  readonly inflight: number;
  readonly bucket: Bucket;
  readonly time: BridgeTime;
  readonly stats: BridgeStats;
  readonly log: { warn(fields: object, message: string): void };
}

export type SendingLink = Pick<Link, 'publish' | 'destroy'>;

/** What a PUBLISH without properties has besides topic and payload, at most: MQTT 5 section 3.3. */
const HEAD_BYTES = 10;
/** What is not acknowledged is in memory, twice. */
const MOST_BYTES = 4 * 1024 * 1024;
/** Reasons that a pause may mend: unavailable, busy, message rate too high, quota exceeded. */
const TRANSIENT: ReadonlySet<number> = new Set([0x88, 0x89, 0x96, 0x97]);

/** Sends messages in order over the link of the moment, as many at a time and as fast as it may. */
export class Sender {
  /** More may be sent than a moment ago. */
  onReady: () => void = () => {};
  readonly #parts: SenderParts;
  #link: SendingLink | null = null;
  /** What the other broker said in CONNACK. */
  #window = 0;
  #maxQos: 0 | 1 = 1;
  #retains = true;
  #maxBytes = Number.POSITIVE_INFINITY;
  #unacknowledged = 0;
  #unacknowledgedBytes = 0;
  #cancel: (() => void) | null = null;
  #onSettled: (() => void) | null = null;
  /** What was refused on this link, by reason: each is logged once. */
  readonly #told = new Set<string>();

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  get connected(): boolean {
    return this.#link !== null;
  }

  attach(link: SendingLink, { properties }: IConnackPacket): void {
    this.#link = link;
    this.#window = Math.min(this.#parts.inflight, properties?.receiveMaximum ?? 65_535);
    this.#maxQos = properties?.maximumQoS === 0 ? 0 : 1;
    this.#retains = properties?.retainAvailable !== false;
    this.#maxBytes = properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    this.#unacknowledged = 0;
    this.#unacknowledgedBytes = 0;
    this.#told.clear();
    if (this.#maxQos === 1) return;
    this.#parts.log.warn(
      {},
      'the other broker takes QoS 0 only: it acknowledges nothing, and may lose messages',
    );
  }

  /** What was not acknowledged is nobody's business here any more. */
  detach(): void {
    this.#link = null;
    this.#cancel?.();
    this.#cancel = null;
    this.#onSettled?.();
  }

  /** Resolves when all that was sent is acknowledged, or will not be on this link, or after so many ms. */
  async settled(ms: number): Promise<void> {
    if (this.#link === null || this.#unacknowledged === 0) return;
    const { time } = this.#parts;
    await new Promise<void>((resolve) => {
      const cancel = time.after(ms, resolve);
      this.#onSettled = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Whether a message may be sent now; if not, `onReady` is called when it is worth asking again. */
  ready(): boolean {
    if (this.#link === null || this.#unacknowledged >= this.#window) return false;
    if (this.#unacknowledgedBytes >= MOST_BYTES) return false;
    const { bucket, time } = this.#parts;
    const wait = bucket.wait(time.now());
    if (wait === 0) return true;
    this.#cancel ??= time.after(wait, () => {
      this.#cancel = null;
      this.onReady();
    });
    return false;
  }

  /** Only when ready. `settled`: the other broker has it, or will never take it; not called if the link is lost. */
  send(message: Outgoing, settled: () => void): void {
    const { bucket, stats, time } = this.#parts;
    const link = this.#link!;
    const { expiry, payload, topic } = message;
    const secondsLeft = expiry === undefined ? undefined : Math.ceil((expiry - time.now()) / 1000);
    if (secondsLeft !== undefined && secondsLeft <= 0) {
      stats.expired++;
      settled();
      return;
    }
    const sent: Outgoing = {
      ...message,
      qos: message.qos > this.#maxQos ? this.#maxQos : message.qos,
      retain: message.retain && this.#retains,
      properties:
        secondsLeft === undefined
          ? message.properties
          : { ...message.properties, messageExpiryInterval: secondsLeft },
    };
    if (this.#tooLarge(sent)) {
      this.#refused('it is larger than the other broker takes', topic);
      settled();
      return;
    }
    this.#unacknowledged++;
    this.#unacknowledgedBytes += payload.length;
    bucket.take(payload.length + topic.length + HEAD_BYTES);
    link.publish(sent, (refused) => {
      if (refused !== null && TRANSIENT.has(refused.reason)) {
        link.destroy(refused);
        return;
      }
      this.#unacknowledged--;
      this.#unacknowledgedBytes -= payload.length;
      if (refused === null) {
        stats.sent++;
        stats.bytesSent += payload.length;
      } else {
        this.#refused(reasonOf(refused), topic);
      }
      settled();
      if (this.#unacknowledged === 0) this.#onSettled?.();
      this.onReady();
    });
  }

  #tooLarge(message: Outgoing): boolean {
    if (this.#maxBytes === Number.POSITIVE_INFINITY) return false;
    const { payload, properties, qos, retain, topic } = message;
    const packet = {
      cmd: 'publish',
      topic,
      payload,
      qos,
      retain,
      properties,
      dup: false,
      messageId: 1,
    } as const;
    return generate(packet, { protocolVersion: 5 }).length > this.#maxBytes;
  }

  #refused(reason: string, topic: string): void {
    const { log, stats } = this.#parts;
    stats.refused++;
    if (this.#told.has(reason)) return;
    this.#told.add(reason);
    log.warn(
      { topic, reason },
      'a message was not taken by the other broker; others like it are only counted',
    );
  }
}

function reasonOf({ message, reason }: Refused): string {
  return `${message} (0x${reason.toString(16)})`;
}
