/** Sessions and what belongs to them as bytes: fields of fixed width, numbers little-endian; a text is the rest. */

/** Version of everything in the store. A change of any row's bytes or key is another one. */
export const FORMAT = 1;

/** What is kept of a session itself. */
export interface SessionRecord {
  readonly clientId: string;
  /** As authenticated when it connected last. */
  readonly user: string | null;
  /** Seconds after the connection ends; 0xffffffff: never. */
  readonly expiryInterval: number;
  /** Wall time in ms; null: it was connected. */
  readonly disconnectedAt: number | null;
}

/** As aedes writes subscriptions. */
export interface StoredSubscription {
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
  readonly nl: boolean;
  readonly rap: boolean;
  readonly rh: number;
  readonly subscriptionIdentifier?: number;
}

export interface Counts {
  readonly messages: number;
  /** Of payload. */
  readonly bytes: number;
  /** No message with a higher key has been queued. */
  readonly last: number;
}

export interface Assignment {
  readonly messageId: number;
  /** The client has the message (PUBREC); what is left to send is PUBREL. */
  readonly released: boolean;
  /** Of payload. */
  readonly bytes: number;
}

const NOBODY = 0xffff_ffff;

/** expiry u32 | disconnected f64 | bytes of user u32 | user | client id */
export function encodeSession({ clientId, user, expiryInterval, disconnectedAt }: SessionRecord): Buffer {
  const userBytes = user === null ? 0 : Buffer.byteLength(user);
  const bytes = Buffer.allocUnsafe(16 + userBytes + Buffer.byteLength(clientId));
  bytes.writeUInt32LE(expiryInterval, 0);
  bytes.writeDoubleLE(disconnectedAt ?? Number.NaN, 4);
  bytes.writeUInt32LE(user === null ? NOBODY : userBytes, 12);
  if (user !== null) bytes.write(user, 16);
  bytes.write(clientId, 16 + userBytes);
  return bytes;
}

export function decodeSession(bytes: Buffer): SessionRecord {
  const disconnectedAt = bytes.readDoubleLE(4);
  const userBytes = bytes.readUInt32LE(12);
  const clientAt = userBytes === NOBODY ? 16 : 16 + userBytes;
  if (clientAt > bytes.length) throw new RangeError(`a session's user name ends after it, at ${clientAt}`);
  return {
    clientId: bytes.toString('utf8', clientAt),
    user: userBytes === NOBODY ? null : bytes.toString('utf8', 16, clientAt),
    expiryInterval: bytes.readUInt32LE(0),
    disconnectedAt: Number.isNaN(disconnectedAt) ? null : disconnectedAt,
  };
}

const NO_LOCAL = 0x04;
const RETAIN_AS_PUBLISHED = 0x08;

/** The options byte of SUBSCRIBE (MQTT 5, section 3.8.3.1), then the identifier; 0, which is none, if there is none. */
export function encodeSubscription({ qos, nl, rap, rh, subscriptionIdentifier }: StoredSubscription): Buffer {
  const bytes = Buffer.allocUnsafe(5);
  bytes.writeUInt8(qos | (nl ? NO_LOCAL : 0) | (rap ? RETAIN_AS_PUBLISHED : 0) | (rh << 4), 0);
  bytes.writeUInt32LE(subscriptionIdentifier ?? 0, 1);
  return bytes;
}

export function decodeSubscription(topic: string, bytes: Buffer): StoredSubscription {
  const options = bytes.readUInt8(0);
  const identifier = bytes.readUInt32LE(1);
  return {
    topic,
    qos: (options & 0x03) as 0 | 1 | 2,
    nl: (options & NO_LOCAL) !== 0,
    rap: (options & RETAIN_AS_PUBLISHED) !== 0,
    rh: (options >> 4) & 0x03,
    ...(identifier === 0 ? {} : { subscriptionIdentifier: identifier }),
  };
}

export function encodeCounts({ messages, bytes, last }: Counts): Buffer {
  const row = Buffer.allocUnsafe(24);
  row.writeDoubleLE(messages, 0);
  row.writeDoubleLE(bytes, 8);
  row.writeDoubleLE(last, 16);
  return row;
}

export function decodeCounts(row: Buffer): Counts {
  return { messages: row.readDoubleLE(0), bytes: row.readDoubleLE(8), last: row.readDoubleLE(16) };
}

export function encodeAssignment({ messageId, released, bytes }: Assignment): Buffer {
  const row = Buffer.allocUnsafe(7);
  row.writeUInt16LE(messageId, 0);
  row.writeUInt8(released ? 1 : 0, 2);
  row.writeUInt32LE(bytes, 3);
  return row;
}

export function decodeAssignment(row: Buffer): Assignment {
  return { messageId: row.readUInt16LE(0), released: row.readUInt8(2) === 1, bytes: row.readUInt32LE(3) };
}
