/** A thread that takes messages over, as the recorder does; the other side of `reader.test.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import { attachRing, WRITTEN } from '../../src/ring/layout.js';
import { RingReader } from '../../src/ring/reader.js';
import { emptyParts, readParts } from '../../src/ring/record.js';
import { expectedPayload, type TakerResult, type TakerStart, topicOf } from './taken.js';

const { handle, total } = workerData as TakerStart;
const memory = attachRing(handle);
const reader = new RingReader(memory, 0);
const parts = emptyParts();
const keys: number[] = [];
const faults: string[] = [];

interface Row {
  readonly key: number;
  readonly topic: string;
  readonly payload: Buffer;
}

/** Null for what cannot be a record. */
function copyRow(sequence: number): Row | null {
  if (!readParts(memory, sequence, parts)) return null;
  const { key, topicAt, topicBytes, payloadAt, payloadBytes } = parts;
  const cut = (at: number, length: number) => Buffer.from(memory.bytes.slice(at, at + length));
  return { key, topic: cut(topicAt, topicBytes).toString(), payload: cut(payloadAt, payloadBytes) };
}

function checkRow(sequence: number, row: Row | null): void {
  const key = sequence + 1;
  if (row?.key !== key || row.topic !== topicOf(key % 5) || !row.payload.equals(expectedPayload(key)))
    faults.push(`message ${sequence}: ${JSON.stringify(row)}`);
  keys.push(key);
}

parentPort!.postMessage('ready');
while (true) {
  const from = reader.tail();
  const written = reader.written();
  if (from === total) break;
  if (from === written) {
    Atomics.wait(memory.control, WRITTEN, written | 0);
    continue;
  }
  const to = Math.min(written, from + 8);
  const rows: (Row | null)[] = [];
  for (let sequence = from; sequence < to; sequence++) rows.push(copyRow(sequence));
  if (reader.take(from, to)) for (const [i, row] of rows.entries()) checkRow(from + i, row);
}
const result: TakerResult = { keys, faults };
parentPort!.postMessage(result);
