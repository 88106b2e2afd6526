import { MqttStreamError } from '../errors.js';
import { align8 } from './layout.js';

/** MQTT 5, section 1.5.4; a slot has 16 bits for either length. */
const MOST_BYTES = 65_535;

/** What all messages of one client on one topic share, encoded once and then copied by words. */
export interface Source {
  /** False: the broker's own message. */
  readonly hasClient: boolean;
  /** Topic, client id and zeros up to a multiple of 8, as words. */
  readonly head: Int32Array;
  readonly topicBytes: number;
  readonly clientBytes: number;
  readonly hash: number;
}

/** As text or in UTF-8. */
type Name = string | Uint8Array;

/**
 * Encodes topic and client id, both of at most 65,535 bytes. Throws `INTERNAL` for longer ones, which do come over
 * the wire: a byte that is not UTF-8 is decoded to U+FFFD, which has three. ~100 ns for short ones in UTF-8.
 */
export function encodeSource(topic: Name, clientId: Name | null): Source {
  const topicUtf8 = utf8Of(topic);
  const clientUtf8 = clientId === null ? NOTHING : utf8Of(clientId);
  const topicBytes = topicUtf8.length;
  const clientBytes = clientUtf8.length;
  if (topicBytes > MOST_BYTES || clientBytes > MOST_BYTES) {
    throw new MqttStreamError('INTERNAL', [`a topic or client id has more than ${MOST_BYTES} bytes`]);
  }
  const head = new Int32Array(align8(topicBytes + clientBytes) / 4);
  put(head, 0, topicUtf8);
  put(head, topicBytes, clientUtf8);
  const hash = fnv1a(fnv1a(0x811c9dc5, topicUtf8), clientUtf8) >>> 0;
  return { hasClient: clientId !== null, head, topicBytes, clientBytes, hash };
}

const NOTHING = new Uint8Array(0);

function utf8Of(name: Name): Uint8Array {
  return typeof name === 'string' ? Buffer.from(name, 'utf8') : name;
}

/** Lowest byte first, as on all machines Node runs on. */
function put(words: Int32Array, start: number, bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i++) {
    const at = start + i;
    words[at >> 2] |= bytes[i] << ((at & 3) * 8);
  }
}

/** 32-bit FNV-1a. */
function fnv1a(start: number, bytes: Uint8Array): number {
  let hash = start;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  return hash;
}
