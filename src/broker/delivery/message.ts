import type { PublishPacket, PublishProperties } from '../aedes-internals.js';
import { secondsLeft } from './expiry.js';
import { type ArrivedProperties, encodeHead, moveProperties } from './publish-encoder.js';
import type { Topic } from './topic.js';
import { type Variant, variantIndex } from './variant.js';

/** No variant's index. */
const NONE = -2;

/** A PUBLISH as it goes out: the part up to the payload, then the payload, perhaps in the same memory. */
export interface Frame {
  readonly head: Buffer;
  readonly start: number;
  readonly headEnd: number;
  /** Where the packet identifier stands in `head`; 0 with QoS 0. */
  readonly idAt: number;
  readonly payloadBuffer: Buffer;
  readonly payloadAt: number;
  readonly payloadEnd: number;
}

/**
 * One published message on its way. It keeps the bytes that it came in: who gets it with the same version, QoS and
 * retain flag gets those, and for others it is serialised once for all that get it alike.
 */
export class Message implements Frame {
  readonly known: Topic;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  /** Its publisher's packet identifier; 0 with QoS 0. */
  readonly id: number;
  readonly properties: PublishProperties | undefined;
  /** Where the same stand in `head`; null: nowhere. */
  readonly asArrived: ArrivedProperties | null;
  /** Wall time in ms at which it expires (MQTT 5, section 3.3.2.3.3); undefined: never. */
  readonly expiry: number | undefined;
  key = 0;
  /** null: it is the broker's own. */
  clientId: string | null = null;
  head: Buffer;
  start: number;
  headEnd: number;
  idAt: number;
  payloadBuffer: Buffer;
  payloadAt: number;
  payloadEnd: number;
  /** The index of the variant that its bytes are as they are. */
  #arrivedAs: number;
  #payload: Buffer | null = null;
  #detached = false;
  #frames: (Frame | undefined)[] | null = null;
  /** What the frames say of the time that it is still valid. */
  #secondsLeft: number | undefined;

  private constructor(
    known: Topic,
    qos: 0 | 1 | 2,
    retain: boolean,
    id: number,
    bytes: Buffer,
    start: number,
    payloadAt: number,
    end: number,
    arrivedAs: number,
    properties: PublishProperties | undefined,
    asArrived: ArrivedProperties | null,
    expiry: number | undefined,
  ) {
    this.known = known;
    this.qos = qos;
    this.retain = retain;
    this.id = id;
    this.properties = properties;
    this.asArrived = asArrived;
    this.expiry = expiry;
    this.head = bytes;
    this.start = start;
    this.headEnd = payloadAt;
    this.idAt = 0;
    this.payloadBuffer = bytes;
    this.payloadAt = payloadAt;
    this.payloadEnd = end;
    this.#arrivedAs = arrivedAs;
  }

  /** One that stands in `bytes` from `start` to `end` as a whole packet without properties. */
  static arrived(
    known: Topic,
    version5: boolean,
    qos: 0 | 1 | 2,
    retain: boolean,
    id: number,
    idAt: number,
    bytes: Buffer,
    start: number,
    payloadAt: number,
    end: number,
    dup: boolean,
  ): Message {
    // DUP is not passed on [MQTT-3.3.1-3].
    const as = dup ? NONE : variantIndex(version5, qos, retain);
    const message = new Message(
      known,
      qos,
      retain,
      id,
      bytes,
      start,
      payloadAt,
      end,
      as,
      undefined,
      null,
      undefined,
    );
    message.idAt = idAt;
    return message;
  }

  /** The same with properties, behind which the payload begins. `first`: its first byte. */
  static arrivedWith(
    properties: PublishProperties,
    asArrived: ArrivedProperties,
    known: Topic,
    qos: 0 | 1 | 2,
    first: number,
    id: number,
    idAt: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): Message {
    const { to, aliasAt, expiryAt } = asArrived;
    const retain = (first & 1) !== 0;
    const dup = (first & 8) !== 0;
    // Nor are a topic alias and the time that was left.
    const as = dup || aliasAt > 0 || expiryAt > 0 ? NONE : variantIndex(true, qos, retain);
    const seconds = properties.messageExpiryInterval;
    const expiry = seconds === undefined ? undefined : Date.now() + seconds * 1000;
    const message = new Message(
      known,
      qos,
      retain,
      id,
      bytes,
      start,
      to,
      end,
      as,
      properties,
      asArrived,
      expiry,
    );
    message.idAt = idAt;
    return message;
  }

  /** One that was decoded already, or that comes from inside. `now`: wall time in ms. */
  static of(known: Topic, packet: Omit<PublishPacket, 'cmd' | 'dup'>, now: number): Message {
    const { qos, retain, messageId = 0, payload, properties } = packet;
    const seconds = properties?.messageExpiryInterval;
    const expiry = packet.messageExpiry ?? (seconds === undefined ? undefined : now + seconds * 1000);
    return new Message(
      known,
      qos,
      retain,
      messageId,
      payload,
      0,
      0,
      payload.length,
      NONE,
      properties,
      null,
      expiry,
    );
  }

  get topic(): string {
    return this.known.name;
  }

  get payload(): Buffer {
    this.#payload ??= this.payloadBuffer.subarray(this.payloadAt, this.payloadEnd);
    return this.#payload;
  }

  get payloadBytes(): number {
    return this.payloadEnd - this.payloadAt;
  }

  /** As aedes knows messages; shares the payload's memory. */
  packet(brokerId: string): PublishPacket {
    const { topic, payload, qos, retain, properties, key, clientId, expiry } = this;
    return {
      cmd: 'publish',
      topic,
      payload,
      qos,
      retain,
      dup: false,
      brokerId,
      brokerCounter: key,
      ...(properties === undefined ? {} : { properties }),
      ...(clientId === null ? {} : { clientId }),
      ...(expiry === undefined ? {} : { messageExpiry: expiry }),
    };
  }

  /** Before it is kept for later: what is a view would pin the chunk that it was read in. */
  detach(): void {
    if (this.#detached) return;
    this.#detached = true;
    this.#frames = null;
    this.#payload = null;
    const { asArrived, properties } = this;
    const from = this.#arrivedAs === NONE && asArrived === null ? this.payloadAt : this.start;
    const bytes = Buffer.from(this.payloadBuffer.subarray(from, this.payloadEnd));
    this.head = bytes;
    this.payloadBuffer = bytes;
    this.start = 0;
    this.headEnd -= from;
    this.payloadAt -= from;
    this.payloadEnd -= from;
    if (this.idAt > 0) this.idAt -= from;
    if (asArrived !== null) moveProperties(asArrived, -from);
    if (properties?.correlationData !== undefined) {
      properties.correlationData = Buffer.from(properties.correlationData);
    }
  }

  /** Size on the wire, bytes. */
  bytes(variant: Variant): number {
    const { start, headEnd, payloadAt, payloadEnd } = this.frame(variant);
    return headEnd - start + payloadEnd - payloadAt;
  }

  frame(variant: Variant): Frame {
    if (variant.index === this.#arrivedAs) return this;
    if (variant.index < 0) return this.#encode(variant);
    if (this.expiry !== undefined) {
      const left = secondsLeft(this);
      if (left !== this.#secondsLeft) this.#frames = null;
      this.#secondsLeft = left;
    }
    this.#frames ??= [];
    let frame = this.#frames[variant.index];
    if (frame === undefined) {
      frame = this.#encode(variant);
      this.#frames[variant.index] = frame;
    }
    return frame;
  }

  /** For one connection alone; `known`: the alias stands for the topic. */
  aliased(variant: Variant, alias: number, known: boolean): Frame {
    return this.#encode(variant, alias, known);
  }

  #encode(variant: Variant, alias = 0, known = false): Frame {
    const { payloadBuffer, payloadAt, payloadEnd } = this;
    const { head, idAt } = encodeHead(this, variant, alias, known);
    return { head, start: 0, headEnd: head.length, idAt, payloadBuffer, payloadAt, payloadEnd };
  }
}
