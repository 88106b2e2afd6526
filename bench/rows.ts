/** The rows that `pipeline` and `search` write, and others write beside them. */
import type { Message } from '../src/ring/record.js';
import { fillPayload, randomOf } from './payload.js';
import { check } from './question.js';

/** Microseconds; 2024-11-23. */
export const FIRST_KEY = 1_732_330_000_000_000;
const STEP = 40;
const TOPICS = Array.from({ length: 40 }, (_, n) => `vehicle/can/${(n * 37 + 256).toString(16)}`);
const CLIENTS = ['ecu-front', 'ecu-rear', 'gateway'];

export interface Rows {
  readonly count: number;
  readonly payloadBytes: number;
  /** All payloads, one after another. */
  readonly payloads: Uint8Array;
}

export function makeRows(count: number, payloadBytes: number): Rows {
  const payloads = new Uint8Array(count * payloadBytes);
  fillPayload(payloads, randomOf(payloadBytes));
  return { count, payloadBytes, payloads };
}

export function keyOf(row: number): number {
  return FIRST_KEY + row * STEP;
}

/** Not periodic, as messages of many senders are not. */
export function topicOf(row: number): string {
  return TOPICS[mix(row) % TOPICS.length];
}

/** Each topic has one sender. */
export function clientOf(row: number): string {
  return CLIENTS[(mix(row) % TOPICS.length) % CLIENTS.length];
}

export function qosOf(row: number): 0 | 1 {
  return row % 8 === 0 ? 1 : 0;
}

export function retainOf(row: number): boolean {
  return row % 64 === 0;
}

export function payloadOf({ payloads, payloadBytes }: Rows, row: number): Uint8Array {
  return payloads.subarray(row * payloadBytes, (row + 1) * payloadBytes);
}

/** Throws `CheckFailed` unless `found` are `count` rows from `first` on. `shift`: what their keys are ahead. */
export function checkMessages(
  rows: Rows,
  first: number,
  count: number,
  shift: number,
  found: readonly Message[],
): void {
  check('messages found', found.length, count);
  for (const [index, message] of found.entries()) {
    const row = first + index;
    check('key', message.key, keyOf(row) + shift);
    check('topic', message.topic, topicOf(row));
    check('client id', message.clientId, clientOf(row));
    check('qos', message.qos, qosOf(row));
    check('retain', message.retain, retainOf(row));
    check('properties', message.properties, null);
    check('payload is as it was', Buffer.compare(message.payload, payloadOf(rows, row)), 0);
  }
}

function mix(row: number): number {
  const mixed = Math.imul(row ^ (row >>> 7), 0x9e3779b1);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
