import type { IPublishPacket } from 'mqtt';
import { TOPIC_PROPERTY } from '../query/outlet.js';
import type { WallTime } from './wall-time.js';

/** A message as a search or replay brings it back. */
export interface FoundMessage {
  /** Microseconds since the epoch. */
  readonly key: number;
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
  readonly payload: Buffer;
  readonly properties: IPublishPacket['properties'];
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** Where text is no text; tabs and line ends are. */
const CONTROL = /(?![\t\n\r])\p{Cc}/u;
/** What could write elsewhere on a terminal, end the line, or turn its direction. */
const UNPRINTABLE = /[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu;
/** Of a binary payload, in a line for people. */
const SHOWN_BYTES = 64;

/** From `MQfile/<id>/<key>/<topic>`; null for what is not of this request. */
export function foundMessage(id: string, packet: IPublishPacket): FoundMessage | null {
  const prefix = `MQfile/${id}/`;
  if (!packet.topic.startsWith(prefix)) return null;
  const rest = packet.topic.slice(prefix.length);
  const [digits] = rest.split('/', 1);
  const long = packet.properties?.userProperties?.[TOPIC_PROPERTY];
  return {
    key: Number(digits),
    topic: digits.length < rest.length ? rest.slice(digits.length + 1) : String(long ?? ''),
    qos: packet.qos,
    payload: packet.payload as Buffer,
    properties: packet.properties,
  };
}

/** One line for people: `key wall-time topic payload`. Nothing in it can move the cursor or end the line. */
export function messageLine({ key, topic, payload }: FoundMessage, wall: WallTime): string {
  return `${key} ${wall(key)} ${escaped(topic)} ${payloadText(payload)}`;
}

/** One line for programs, with the whole payload. */
export function messageJson({ key, topic, qos, payload }: FoundMessage, wall: WallTime): string {
  const text = textOfPayload(payload);
  return JSON.stringify(
    text === null
      ? { key, wall: wall(key), topic, qos, encoding: 'base64', payload: payload.toString('base64') }
      : { key, wall: wall(key), topic, qos, encoding: 'text', payload: text },
  );
}

function payloadText(payload: Buffer): string {
  const text = textOfPayload(payload);
  if (text !== null) return escaped(text);
  const hex = payload.toString('hex', 0, SHOWN_BYTES);
  return payload.length <= SHOWN_BYTES ? `0x${hex}` : `0x${hex}… (${payload.length} bytes)`;
}

/** null: not a text. */
function textOfPayload(payload: Buffer): string | null {
  try {
    const text = decoder.decode(payload);
    return CONTROL.test(text) ? null : text;
  } catch {
    // Not UTF-8.
    return null;
  }
}

function escaped(text: string): string {
  return text.replaceAll(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
