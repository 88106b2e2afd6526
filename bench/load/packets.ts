/** MQTT 3.1.1 packets as bytes. */
import { fillPayload, randomOf } from '../payload.js';
import { distinctTopic, type FlowPlan, STAMP_BYTES, TOPIC_DIGITS } from './plan.js';

export const CONNACK = 2;
export const PUBLISH = 3;
export const PUBACK = 4;
export const PUBREC = 5;
export const PUBREL = 6;
export const PUBCOMP = 7;
export const SUBACK = 9;

export function connectPacket(clientId: string): Buffer {
  // Protocol level 4, clean session, no keep-alive.
  return packet(0x10, Buffer.concat([string('MQTT'), Buffer.of(4, 2, 0, 0), string(clientId)]));
}

export function subscribePacket(filters: readonly string[], qos: number): Buffer {
  const wanted = filters.flatMap((filter) => [string(filter), Buffer.of(qos)]);
  return packet(0x82, Buffer.concat([Buffer.of(0, 1), ...wanted]));
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP. */
export function putAnswer(into: Buffer, at: number, type: number, id: number): number {
  into[at] = (type << 4) | (type === PUBREL ? 2 : 0);
  into[at + 1] = 2;
  return into.writeUInt16BE(id, at + 2);
}

/** Bytes of packets that are written with one call. */
const CHUNK_BYTES = 64 * 1024;
/** The same at a fixed rate, where few are due at once. */
const PACED_CHUNK_BYTES = 4 * 1024;
const ZERO = 0x30;

/** Prebuilt PUBLISH packets of one publisher; only their stamps, identifiers and digits of topics change. */
export class PublishChunk {
  readonly bytes: Buffer;
  readonly packetBytes: number;
  readonly #view: DataView;
  readonly #stampAt: number;
  readonly #hasId: boolean;
  /** 0: all have one topic. */
  readonly #topics: number;
  readonly #digitsEnd: number;

  /** `seed`: so that no two chunks hold the same data. */
  constructor(plan: FlowPlan, publisher: number, seed: number) {
    const { topic, qos, payloadBytes, topics = 0, rate = 0 } = plan;
    const id = Buffer.alloc(qos === 0 ? 0 : 2);
    const name = string(topics > 0 ? distinctTopic(topic, publisher, 0) : `${topic}/${publisher}`);
    const body = Buffer.concat([name, id, Buffer.alloc(payloadBytes)]);
    const one = packet(0x30 | (qos << 1), body);
    const packets = Math.max(1, Math.floor((rate > 0 ? PACED_CHUNK_BYTES : CHUNK_BYTES) / one.length));
    this.packetBytes = one.length;
    this.#stampAt = one.length - payloadBytes;
    this.#hasId = qos > 0;
    this.#topics = topics;
    this.#digitsEnd = this.#stampAt - id.length;
    this.bytes = Buffer.alloc(one.length * packets);
    this.#view = new DataView(this.bytes.buffer, this.bytes.byteOffset);
    const random = randomOf(seed);
    for (let at = 0; at < this.bytes.length; at += one.length) {
      this.bytes.set(one, at);
      fillPayload(this.bytes.subarray(at + this.#stampAt + STAMP_BYTES, at + one.length), random);
      this.#view.setUint32(at + this.#stampAt, publisher, true);
    }
  }

  get packets(): number {
    return this.bytes.length / this.packetBytes;
  }

  stamp(index: number, sequence: number, now: number): void {
    const at = index * this.packetBytes + this.#stampAt;
    if (this.#topics > 0)
      this.#putDigits(index * this.packetBytes + this.#digitsEnd, sequence % this.#topics);
    if (this.#hasId) this.#view.setUint16(at - 2, packetId(sequence));
    this.#view.setUint32(at + 4, sequence, true);
    this.#view.setFloat64(at + 8, now, true);
  }

  #putDigits(end: number, topic: number): void {
    let rest = topic;
    for (let at = end - 1; at >= end - TOPIC_DIGITS; at--) {
      const shorter = Math.floor(rest / 10);
      this.bytes[at] = ZERO + rest - shorter * 10;
      rest = shorter;
    }
  }
}

/** 1 to 65,535; far fewer are in flight. */
function packetId(sequence: number): number {
  return (sequence % 65_535) + 1;
}

function string(text: string): Buffer {
  const utf8 = Buffer.from(text);
  const bytes = Buffer.alloc(2 + utf8.length);
  bytes.writeUInt16BE(utf8.length);
  bytes.set(utf8, 2);
  return bytes;
}

function packet(type: number, body: Buffer): Buffer {
  const head = [type];
  let length = body.length;
  do {
    const digit = length % 128;
    length = Math.floor(length / 128);
    head.push(length > 0 ? digit | 128 : digit);
  } while (length > 0);
  return Buffer.concat([Buffer.from(head), body]);
}
