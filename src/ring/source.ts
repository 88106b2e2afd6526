import { MqttStreamError } from '../errors.js';
import { align8 } from './layout.js';

/** MQTT 5, section 1.5.4; a slot has 16 bits for either length. */
const MOST_BYTES = 65_535;

/** What all messages of one client on one topic share, encoded once and then copied by words. */
export interface Source {
  readonly topic: string;
  /** null: the broker's own message. */
  readonly clientId: string | null;
  /** Topic, client id and zeros up to a multiple of 8, as words. */
  readonly head: Int32Array;
  readonly topicBytes: number;
  readonly clientBytes: number;
  readonly hash: number;
}

/**
 * Encodes topic and client id, both of at most 65,535 bytes. Throws `INTERNAL` for longer ones, which do come over
 * the wire: a byte that is not UTF-8 is decoded to U+FFFD, which has three.
 */
export function encodeSource(topic: string, clientId: string | null): Source {
  const topicUtf8 = Buffer.from(topic, 'utf8');
  const clientUtf8 = Buffer.from(clientId ?? '', 'utf8');
  if (topicUtf8.length > MOST_BYTES || clientUtf8.length > MOST_BYTES) {
    throw new MqttStreamError('INTERNAL', [`a topic or client id has more than ${MOST_BYTES} bytes`]);
  }
  const head = new Uint8Array(align8(topicUtf8.length + clientUtf8.length));
  head.set(topicUtf8);
  head.set(clientUtf8, topicUtf8.length);
  return {
    topic,
    clientId,
    head: new Int32Array(head.buffer),
    topicBytes: topicUtf8.length,
    clientBytes: clientUtf8.length,
    hash: fnv1a(head),
  };
}

/** 32-bit FNV-1a. */
function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  return hash >>> 0;
}
