/**
 * Messages as bytes: flags, then what the flags announce, then the payload. Lengths are in bytes, numbers little-endian.
 *
 *     flags u8 | expiry f64? | topic | properties? | correlation data? | more? | payload
 *
 * Topic and the optional parts begin with their length as u32; properties and more are JSON.
 */
import type { PublishProperties } from '../aedes-internals.js';

export interface StoredMessage {
  topic: string;
  payload: Buffer | string;
  qos: 0 | 1 | 2;
  retain: boolean;
  properties?: PublishProperties & { willDelayInterval?: number };
  /** Wall time, ms. */
  messageExpiry?: number;
}

const QOS = 0x03;
const RETAIN = 0x04;
const TEXT = 0x08;
const EXPIRY = 0x10;
const PROPERTIES = 0x20;
const CORRELATION = 0x40;
const MORE = 0x80;

/** `more`: fields beside those of a message, as JSON has them; null if there are none. */
export function encodeMessage(message: StoredMessage, more: object | null): Buffer {
  const { topic, qos, retain, properties, messageExpiry } = message;
  const payload = typeof message.payload === 'string' ? Buffer.from(message.payload) : message.payload;
  const correlation = properties?.correlationData;
  const propertiesText = properties && JSON.stringify({ ...properties, correlationData: undefined });
  const moreText = more === null ? undefined : JSON.stringify(more);
  const topicBytes = Buffer.byteLength(topic);
  const bytes = Buffer.allocUnsafe(
    5 +
      topicBytes +
      (messageExpiry === undefined ? 0 : 8) +
      (propertiesText === undefined ? 0 : 4 + Buffer.byteLength(propertiesText)) +
      (correlation === undefined ? 0 : 4 + correlation.length) +
      (moreText === undefined ? 0 : 4 + Buffer.byteLength(moreText)) +
      payload.length,
  );
  let at = bytes.writeUInt8(
    qos |
      (retain ? RETAIN : 0) |
      (typeof message.payload === 'string' ? TEXT : 0) |
      (messageExpiry === undefined ? 0 : EXPIRY) |
      (propertiesText === undefined ? 0 : PROPERTIES) |
      (correlation === undefined ? 0 : CORRELATION) |
      (moreText === undefined ? 0 : MORE),
  );
  if (messageExpiry !== undefined) at = bytes.writeDoubleLE(messageExpiry, at);
  at = bytes.writeUInt32LE(topicBytes, at);
  at += bytes.write(topic, at);
  if (propertiesText !== undefined) at = writeText(bytes, propertiesText, at);
  if (correlation !== undefined) {
    at = bytes.writeUInt32LE(correlation.length, at);
    bytes.set(correlation, at);
    at += correlation.length;
  }
  if (moreText !== undefined) at = writeText(bytes, moreText, at);
  bytes.set(payload, at);
  return bytes;
}

/** With every other field that it has. */
export function encodeWhole(message: StoredMessage): Buffer {
  const { topic, payload, qos, retain, properties, messageExpiry, ...more } = message;
  return encodeMessage(message, more);
}

function writeText(bytes: Buffer, text: string, at: number): number {
  const written = bytes.write(text, at + 4);
  bytes.writeUInt32LE(written, at);
  return at + 4 + written;
}

/** How long the payload is, without looking at the rest. @throws RangeError */
export function payloadBytes(bytes: Buffer): number {
  const flags = bytes.readUInt8(0);
  let at = flags & EXPIRY ? 9 : 1;
  at += 4 + bytes.readUInt32LE(at);
  for (const part of [PROPERTIES, CORRELATION, MORE]) if (flags & part) at += 4 + bytes.readUInt32LE(at);
  return bytes.length - at;
}

/** Correlation data and payload are parts of `bytes`. @throws RangeError, SyntaxError */
export function decodeMessage(bytes: Buffer): StoredMessage {
  const flags = bytes.readUInt8(0);
  let at = 1;
  const part = (): Buffer => {
    const start = at + 4;
    at = start + bytes.readUInt32LE(at);
    if (at > bytes.length) throw new RangeError(`a part of a message ends after it, at ${at}`);
    return bytes.subarray(start, at);
  };
  let expiry: number | undefined;
  if (flags & EXPIRY) {
    expiry = bytes.readDoubleLE(at);
    at += 8;
  }
  const topic = part().toString();
  const properties = flags & PROPERTIES ? propertiesOf(part().toString()) : undefined;
  if (flags & CORRELATION) properties!.correlationData = part();
  const more = flags & MORE ? (JSON.parse(part().toString()) as object) : undefined;
  const payload = bytes.subarray(at);
  return {
    ...more,
    topic,
    payload: flags & TEXT ? payload.toString() : payload,
    qos: (flags & QOS) as 0 | 1 | 2,
    retain: (flags & RETAIN) !== 0,
    ...(properties && { properties }),
    ...(expiry !== undefined && { messageExpiry: expiry }),
  };
}

/** Names of user properties come from the wire: they are kept without a prototype, as mqtt-packet gives them. */
function propertiesOf(text: string): NonNullable<StoredMessage['properties']> {
  const properties = JSON.parse(text);
  if (properties.userProperties !== undefined) {
    properties.userProperties = Object.assign(Object.create(null), properties.userProperties);
  }
  return properties;
}
