import type { PublishPacket, PublishProperties } from './aedes-internals.js';
import { secondsLeft } from './expiry.js';

/** Payloads up to this size are copied behind their header: one buffer costs less than two writes. */
const JOIN_BELOW = 8 * 1024;

const DUP = 0x08;

/** How one subscriber gets a message. */
export interface Variant {
  readonly version5: boolean;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly identifiers: readonly number[] | null;
}

/** A serialised PUBLISH. `idAt` is where its packet identifier is, 0 for QoS 0. `rest` follows `head`. */
interface Frame {
  readonly head: Buffer;
  readonly rest: Buffer | null;
  readonly idAt: number;
  readonly bytes: number;
}

/** What a message is written to. */
export interface Wire {
  write(chunk: Buffer): boolean;
}

/** One message on its way to subscribers, serialised once for all that get it alike. */
export class PublishFrames {
  #packet: PublishPacket;
  #detached = false;
  readonly #frames: (Frame | undefined)[] = [];
  /** What the frames say of the time that the message is still valid. */
  #secondsLeft: number | undefined;

  constructor(packet: PublishPacket) {
    this.#packet = packet;
  }

  get packet(): PublishPacket {
    return this.#packet;
  }

  get payloadBytes(): number {
    return this.#packet.payload.length;
  }

  /** Before a message is kept for later: what is a view would pin the chunk that it was read in. */
  detach(): void {
    if (this.#detached) return;
    this.#detached = true;
    this.#packet = detached(this.#packet);
    this.#frames.length = 0;
  }

  /** Size on the wire, bytes. */
  bytes(variant: Variant): number {
    return this.#frame(variant).bytes;
  }

  /** Writes the message; `id` is its packet identifier unless QoS 0, `again`: it was sent before [MQTT-3.3.1-1]. */
  write(wire: Wire, variant: Variant, id: number, again: boolean): void {
    const frame = this.#frame(variant);
    let { head } = frame;
    if (variant.qos > 0) {
      head = Buffer.from(head);
      head.writeUInt16BE(id, frame.idAt);
      if (again) head[0] |= DUP;
    }
    wire.write(head);
    if (frame.rest !== null) wire.write(frame.rest);
  }

  #frame(variant: Variant): Frame {
    if (this.#packet.messageExpiry !== undefined) {
      const left = secondsLeft(this.#packet);
      if (left !== this.#secondsLeft) this.#frames.length = 0;
      this.#secondsLeft = left;
    }
    if (variant.identifiers !== null) return encode(this.#packet, variant);
    const index = variant.qos * 4 + (variant.version5 ? 2 : 0) + (variant.retain ? 1 : 0);
    let frame = this.#frames[index];
    if (frame === undefined) {
      frame = encode(this.#packet, variant);
      this.#frames[index] = frame;
    }
    return frame;
  }
}

/** A copy of a packet that shares no memory with the chunk that it was read in. */
export function detached(packet: PublishPacket): PublishPacket {
  const { payload, properties } = packet;
  const copy = { ...packet, payload: Buffer.from(payload) };
  if (properties?.correlationData !== undefined) {
    copy.properties = { ...properties, correlationData: Buffer.from(properties.correlationData) };
  }
  return copy;
}

/** MQTT 5 section 3.3, MQTT 3.1.1 section 3.3. */
function encode(packet: PublishPacket, variant: Variant): Frame {
  const { payload } = packet;
  const topic = Buffer.from(packet.topic, 'utf8');
  const properties = variant.version5 ? encodeProperties(packet, variant.identifiers) : null;
  const variable = 2 + topic.length + (variant.qos > 0 ? 2 : 0) + (properties?.length ?? 0);
  const remaining = variable + payload.length;
  const start = 1 + varIntBytes(remaining);
  const join = payload.length <= JOIN_BELOW;
  const head = Buffer.allocUnsafe(start + variable + (join ? payload.length : 0));
  head[0] = 0x30 | (variant.qos << 1) | (variant.retain ? 1 : 0);
  writeVarInt(head, remaining, 1);
  let at = head.writeUInt16BE(topic.length, start);
  at += topic.copy(head, at);
  const idAt = variant.qos > 0 ? at : 0;
  if (idAt > 0) at += 2;
  if (properties !== null) at += properties.copy(head, at);
  if (join) payload.copy(head, at);
  return { head, rest: join ? null : payload, idAt, bytes: start + remaining };
}

/** Property length and properties, MQTT 5 section 3.3.2.3. The topic alias is the publisher's and goes no further. */
function encodeProperties(packet: PublishPacket, identifiers: readonly number[] | null): Buffer {
  const p: PublishProperties | undefined = packet.properties;
  if (p === undefined && identifiers === null) return Buffer.of(0);
  const parts: Buffer[] = [];
  if (p?.payloadFormatIndicator !== undefined) parts.push(Buffer.of(0x01, p.payloadFormatIndicator ? 1 : 0));
  const expiry = secondsLeft(packet);
  if (expiry !== undefined) {
    const part = Buffer.of(0x02, 0, 0, 0, 0);
    part.writeUInt32BE(expiry, 1);
    parts.push(part);
  }
  if (p?.contentType !== undefined) parts.push(Buffer.of(0x03), text(p.contentType));
  if (p?.responseTopic !== undefined) parts.push(Buffer.of(0x08), text(p.responseTopic));
  if (p?.correlationData !== undefined) parts.push(Buffer.of(0x09), sized(p.correlationData));
  for (const [name, value] of userPairs(p)) parts.push(Buffer.of(0x26), text(name), text(value));
  for (const identifier of identifiers ?? []) {
    const part = Buffer.alloc(1 + varIntBytes(identifier), 0x0b);
    writeVarInt(part, identifier, 1);
    parts.push(part);
  }
  const body = Buffer.concat(parts);
  const length = Buffer.alloc(varIntBytes(body.length));
  writeVarInt(length, body.length, 0);
  return Buffer.concat([length, body]);
}

function userPairs(properties: PublishProperties | undefined): [string, string][] {
  return Object.entries(properties?.userProperties ?? {}).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one): [string, string] => [name, one]),
  );
}

function text(value: string): Buffer {
  return sized(Buffer.from(value, 'utf8'));
}

function sized(bytes: Buffer): Buffer {
  const part = Buffer.allocUnsafe(2 + bytes.length);
  part.writeUInt16BE(bytes.length, 0);
  bytes.copy(part, 2);
  return part;
}

/** How long a Variable Byte Integer is. */
export function varIntBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : 4;
}

/** Variable Byte Integer, MQTT 5 section 1.5.5. */
function writeVarInt(into: Buffer, value: number, at: number): void {
  let left = value;
  let position = at;
  do {
    const low = left & 0x7f;
    left >>>= 7;
    into[position++] = left > 0 ? low | 0x80 : low;
  } while (left > 0);
}
