/** The receiving thread of `ring`: copies every payload into memory of its own and adds up what it sees. */
import { parentPort, workerData } from 'node:worker_threads';
import { copyBytes, storeOf } from '../src/recorder/bytes.js';
import { DoorbellBed } from '../src/recorder/doorbell.js';
import { attachRing } from '../src/ring/layout.js';
import { RingReader } from '../src/ring/reader.js';
import { emptyParts, readParts } from '../src/ring/record.js';
import type { RingPlan, Sums } from './ring-plan.js';

/** What the recorder does while messages come: takes over so many at once, and naps where there are none. */
const STEP = 512;
const NAP_MS = 1;

const plan = workerData as RingPlan;
const { messages, payloadBytes } = plan;
const port = parentPort!;
const received = new Int32Array(plan.received);
const store = storeOf(Math.max(1024 * 1024, Math.ceil(payloadBytes / 4) * 4));
const view = new DataView(store.bytes.buffer);
let count = 0;
let numbers = 0;
let bytes = 0;
let at = 0;

/** The payload was copied to `at`. */
function taken(): void {
  numbers += view.getUint32(at, true);
  bytes += store.bytes[at + payloadBytes - 1];
  at = at + 2 * payloadBytes > store.bytes.length ? 0 : at + payloadBytes;
  count++;
}

/** Makes what was taken known, so that its room can be used again. */
function report(): void {
  Atomics.store(received, 0, count);
  if (count === messages) port.postMessage({ numbers, bytes } satisfies Sums);
}

function copy(payload: Uint8Array): void {
  store.bytes.set(payload, at);
  taken();
}

if (plan.way === 'ring') {
  const memory = attachRing(plan.ring);
  const reader = new RingReader(memory, 0);
  const bed = new DoorbellBed(plan.doorbell);
  const parts = emptyParts();
  port.postMessage('ready');
  while (count < messages) {
    const mark = bed.mark();
    const from = reader.tail();
    const to = Math.min(reader.written(), from + STEP);
    if (to === from) {
      bed.nap(mark, NAP_MS);
      continue;
    }
    for (let next = from; next < to; next++) {
      readParts(memory, next, parts);
      copyBytes(memory, parts.payloadAt, store, at, payloadBytes);
      taken();
    }
    reader.take(from, to);
    report();
  }
} else {
  port.on('message', (message: Uint8Array | Uint8Array[]) => {
    if (Array.isArray(message)) {
      for (const payload of message) copy(payload);
    } else {
      for (let i = 0; i < message.length; i += payloadBytes) copy(message.subarray(i, i + payloadBytes));
    }
    report();
    if (count === messages) port.close();
  });
  port.postMessage('ready');
}
