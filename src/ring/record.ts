import { align8, META_NO_CLIENT, META_PAD_SHIFT, META_QOS, META_RETAIN, type RingMemory } from './layout.js';

/** Where the parts of one record are, as positions in the ring's bytes. Reused, so that a scan allocates nothing. */
export interface RecordParts {
  key: number;
  hash: number;
  qos: number;
  retain: boolean;
  noClient: boolean;
  topicAt: number;
  topicBytes: number;
  clientBytes: number;
  propsAt: number;
  propsBytes: number;
  payloadAt: number;
  payloadBytes: number;
}

export function emptyParts(): RecordParts {
  return {
    key: 0,
    hash: 0,
    qos: 0,
    retain: false,
    noClient: false,
    topicAt: 0,
    topicBytes: 0,
    clientBytes: 0,
    propsAt: 0,
    propsBytes: 0,
    payloadAt: 0,
    payloadBytes: 0,
  };
}

/**
 * Reads where message `sequence` lies. False if the parts do not fit into the memory, as can happen only to
 * another thread while the writer overwrites that slot.
 */
export function readParts(memory: RingMemory, sequence: number, into: RecordParts): boolean {
  const slot = sequence & memory.mask;
  const meta = memory.metas[slot];
  const names = memory.names[slot];
  into.key = memory.keys[slot];
  into.hash = memory.hashes[slot];
  into.qos = meta & META_QOS;
  into.retain = (meta & META_RETAIN) !== 0;
  into.noClient = (meta & META_NO_CLIENT) !== 0;
  into.topicAt = memory.positions[slot];
  into.topicBytes = names & 0xffff;
  into.clientBytes = names >>> 16;
  into.propsAt = into.topicAt + align8(into.topicBytes + into.clientBytes);
  into.propsBytes = memory.props[slot];
  into.payloadAt = into.propsAt + into.propsBytes + ((meta >>> META_PAD_SHIFT) & 7);
  into.payloadBytes = memory.payloads[slot];
  return into.payloadAt + into.payloadBytes <= memory.size;
}

/** One message, copied out of a ring. */
export interface Message {
  readonly key: number;
  readonly topic: string;
  readonly clientId: string | null;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  /** JSON text of the MQTT 5 properties. */
  readonly properties: string | null;
  readonly payload: Uint8Array;
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** A copy of message `sequence`; on the writer's thread only. */
export function copyMessage(memory: RingMemory, sequence: number, parts: RecordParts): Message {
  readParts(memory, sequence, parts);
  const { bytes } = memory;
  const text = (at: number, length: number) => decoder.decode(bytes.slice(at, at + length));
  return {
    key: parts.key,
    topic: text(parts.topicAt, parts.topicBytes),
    clientId: parts.noClient ? null : text(parts.topicAt + parts.topicBytes, parts.clientBytes),
    qos: parts.qos as 0 | 1 | 2,
    retain: parts.retain,
    properties: parts.propsBytes === 0 ? null : text(parts.propsAt, parts.propsBytes),
    payload: bytes.slice(parts.payloadAt, parts.payloadAt + parts.payloadBytes),
  };
}
