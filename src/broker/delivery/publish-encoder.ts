import type { PublishProperties } from '../aedes-internals.js';
import { pairsOf } from '../user-properties.js';
import { varIntBytes, writeVarInt } from '../var-int.js';
import { secondsLeft } from './expiry.js';
import type { Variant } from './variant.js';

const NO_TOPIC = new Uint8Array(0);

/** Where the properties of a message stand in the bytes that it came in. */
export interface ArrivedProperties {
  from: number;
  to: number;
  /** Where the value of Message Expiry Interval or Topic Alias stands; 0: there is none. */
  expiryAt: number;
  aliasAt: number;
}

/** What of a message is serialised. */
export interface Encodable {
  readonly head: Buffer;
  readonly asArrived: ArrivedProperties | null;
  readonly known: { readonly utf8: Uint8Array };
  readonly payloadBytes: number;
  readonly properties: PublishProperties | undefined;
  /** Wall time in ms; undefined: it does not expire. */
  readonly expiry: number | undefined;
}

/**
 * A PUBLISH up to its payload (MQTT 5 section 3.3, MQTT 3.1.1 section 3.3). `idAt`: where its packet identifier is
 * to be written, 0 with QoS 0. `alias`: a topic alias, 0 for none; `known`: the client knows what it stands for.
 */
export function encodeHead(
  message: Encodable,
  variant: Variant,
  alias = 0,
  known = false,
): { head: Buffer; idAt: number } {
  const topic = known ? NO_TOPIC : message.known.utf8;
  const properties = variant.version5 ? encodeProperties(message, variant.identifiers, alias) : null;
  const variable = 2 + topic.length + (variant.qos > 0 ? 2 : 0) + (properties?.length ?? 0);
  const remaining = variable + message.payloadBytes;
  const start = 1 + varIntBytes(remaining);
  const head = Buffer.allocUnsafe(start + variable);
  head[0] = 0x30 | (variant.qos << 1) | (variant.retain ? 1 : 0);
  writeVarInt(head, remaining, 1);
  let at = head.writeUInt16BE(topic.length, start);
  head.set(topic, at);
  at += topic.length;
  const idAt = variant.qos > 0 ? at : 0;
  if (idAt > 0) at += 2;
  properties?.copy(head, at);
  return { head, idAt };
}

/** The bytes have moved. */
export function moveProperties(arrived: ArrivedProperties, by: number): void {
  arrived.from += by;
  arrived.to += by;
  if (arrived.expiryAt > 0) arrived.expiryAt += by;
  if (arrived.aliasAt > 0) arrived.aliasAt += by;
}

/** Property length and properties, MQTT 5 section 3.3.2.3. The publisher's topic alias goes no further. */
function encodeProperties(message: Encodable, identifiers: readonly number[] | null, alias: number): Buffer {
  if (message.properties === undefined && identifiers === null && alias === 0) return Buffer.of(0);
  const parts =
    message.asArrived === null ? propertyParts(message) : arrivedParts(message, message.asArrived);
  if (alias > 0) parts.push(Buffer.of(0x23, alias >> 8, alias & 0xff));
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

/** As they came, in the order of the publisher [MQTT-3.3.2-18]. */
function arrivedParts(message: Encodable, { from, to, expiryAt, aliasAt }: ArrivedProperties): Buffer[] {
  const { head } = message;
  const expiry = secondsLeft(message);
  const bytes = Buffer.from(head.subarray(from, to));
  if (expiry !== undefined) bytes.writeUInt32BE(expiry, expiryAt - from);
  if (aliasAt === 0) return [bytes];
  return [bytes.subarray(0, aliasAt - 1 - from), bytes.subarray(aliasAt + 2 - from)];
}

function propertyParts(message: Encodable): Buffer[] {
  const p = message.properties;
  const parts: Buffer[] = [];
  if (p?.payloadFormatIndicator !== undefined) parts.push(Buffer.of(0x01, p.payloadFormatIndicator ? 1 : 0));
  const expiry = secondsLeft(message);
  if (expiry !== undefined) {
    const part = Buffer.of(0x02, 0, 0, 0, 0);
    part.writeUInt32BE(expiry, 1);
    parts.push(part);
  }
  if (p?.contentType !== undefined) parts.push(Buffer.of(0x03), text(p.contentType));
  if (p?.responseTopic !== undefined) parts.push(Buffer.of(0x08), text(p.responseTopic));
  if (p?.correlationData !== undefined) parts.push(Buffer.of(0x09), sized(p.correlationData));
  const pairs = p === undefined ? [] : pairsOf(p);
  for (let at = 0; at < pairs.length; at += 2) {
    parts.push(Buffer.of(0x26), text(pairs[at]), text(pairs[at + 1]));
  }
  return parts;
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
