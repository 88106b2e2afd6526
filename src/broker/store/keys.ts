/**
 * Keys of the store: a letter for the kind of row, the number of the session in hex digits of fixed width, then what
 * tells rows of one session apart. Numbers sort as they count, and a text stands last, so that it needs neither length
 * nor escape: no client id and no topic can run into another key.
 */

/** Kinds of rows. A session's number is not used again while there is a row with it. */
export const KIND = {
  /** The format of everything else. */
  version: 'v',
  session: 'c',
  /** How much is queued. */
  counts: 'n',
  subscription: 's',
  /** A queued message, by its key. */
  queued: 'q',
  /** A queued message that has a packet identifier, by its key. */
  inflight: 'm',
  /** A QoS 2 message that was received and not released, by its packet identifier. */
  received: 'i',
  /** An ended session whose messages are being removed. */
  ended: 'g',
  will: 'w',
  retained: 'r',
} as const;

type Kind = (typeof KIND)[keyof typeof KIND];

const NUMBER_DIGITS = 8;
/** Enough for 2^53. */
export const COUNTER_DIGITS = 14;
/** Where a row of a session has its own part. */
const OWN_PART = 1 + NUMBER_DIGITS;

/** The key of a session's only row of a kind, and what keys of its other rows begin with. */
export function ofSession(kind: Kind, number: number): string {
  return kind + number.toString(16).padStart(NUMBER_DIGITS, '0');
}

export function numberIn(key: string): number {
  return Number.parseInt(key.slice(1, OWN_PART), 16);
}

export function counterPart(counter: number): string {
  return counter.toString(16).padStart(COUNTER_DIGITS, '0');
}

export function identifierPart(messageId: number): string {
  return messageId.toString(16).padStart(4, '0');
}

/** The counter or the packet identifier at the end of a key. */
export function valueIn(key: string): number {
  return Number.parseInt(key.slice(OWN_PART), 16);
}

/** The topic filter at the end of a subscription's key. */
export function filterIn(key: string): string {
  return key.slice(OWN_PART);
}

/** All keys that begin so, which is with at least one ASCII character other than DEL. */
export function beginningWith(prefix: string): { gte: string; lt: string } {
  const last = prefix.length - 1;
  return { gte: prefix, lt: prefix.slice(0, last) + String.fromCharCode(prefix.charCodeAt(last) + 1) };
}
