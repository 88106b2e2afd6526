import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Doorbell } from '../src/recorder/doorbell.js';
import { advance, allocateRing, type RingMemory, TAIL } from '../src/ring/layout.js';
import { encodeSource } from '../src/ring/source.js';
import { RingWriter } from '../src/ring/writer.js';
import { fillPayload, randomOf } from './payload.js';
import { cpuOf } from './process-cost.js';
import { type Answer, check, type Run } from './question.js';
import type { RingPlan, Sums, Way } from './ring-plan.js';
import { alternate, type Contender } from './rounds.js';
import { medianOf, rowOf, type Sample } from './table.js';

const KIB = 1024;
const RING_BYTES = 32 * KIB * KIB;
const RING_MESSAGES = 65_536;
/** Payloads of one batch of postMessage. */
const BATCH_MESSAGES = 256;
const BATCH_BYTES = 256 * KIB;
/** A message that is larger is handed over instead of copied once more. */
const HAND_OVER_BYTES = 16 * KIB;
/** Payloads lie in one buffer at any position, as a socket gives them. */
const SOURCE_BYTES = 64 * KIB;
/** What is in front of a payload in a packet; odd, so that payloads lie at all positions modulo 8. */
const HEAD_BYTES = 21;

const WAYS: Readonly<Record<Way, string>> = {
  ring: 'ring',
  postMessage: 'postMessage',
  arrays: 'postMessage, arrays of 256',
  packed: 'postMessage, 256 in one buffer',
};

const SIZES = [
  { case: '64 B', payloadBytes: 64, messages: 4_000_000, posts: 500_000 },
  { case: '1 KiB', payloadBytes: KIB, messages: 1_000_000, posts: 300_000 },
  { case: '256 KiB', payloadBytes: 256 * KIB, messages: 8_000, posts: 8_000 },
];

/** How fast messages get from one thread to another. */
export async function ring(run: Run): Promise<Answer> {
  const memory = allocateRing(RING_MESSAGES, RING_BYTES);
  const rows = [];
  for (const size of SIZES) {
    const contenders = Object.entries(WAYS).map(([way, who]): Contender => {
      const full = way === 'ring' ? size.messages : size.posts;
      const messages = run.quick ? Math.min(1000, Math.ceil(full / 100)) : full;
      const { payloadBytes } = size;
      return {
        case: size.case,
        who,
        ours: way === 'ring',
        measure: () => measure(memory, way as Way, messages, payloadBytes),
      };
    });
    rows.push(...(await alternate(run, contenders)));
  }
  return {
    tables: [
      {
        title: 'From one thread to another',
        metrics: [
          { key: 'rate', title: 'messages/s', digits: 0 },
          { key: 'mb', title: 'MB/s', digits: 0 },
          { key: 'sender', title: "CPU µs/message, sender's thread", digits: 3 },
        ],
        moreIsBetter: true,
        rows,
      },
    ],
    targets: [
      {
        what: 'ring, 64 B',
        unit: 'messages/s',
        value: medianOf(rowOf(rows, '64 B', WAYS.ring), 'rate'),
        limit: 5_000_000,
        atLeast: true,
      },
    ],
    notes: [
      'From the first message until the other thread has copied the last one; payloads are views of a larger buffer.',
      'The ring carries key, topic, client id and flags as well; postMessage carries the payload alone.',
      'At most 32 MiB and 65,536 messages are on their way.',
    ],
  };
}

async function measure(
  memory: RingMemory,
  way: Way,
  messages: number,
  payloadBytes: number,
): Promise<Sample> {
  const doorbell = new Doorbell();
  const received = new Int32Array(new SharedArrayBuffer(4));
  memory.control.fill(0);
  const { shared, size } = memory;
  const plan: RingPlan = {
    way,
    messages,
    payloadBytes,
    ring: { shared, messages: memory.messages, size },
    doorbell: doorbell.shared,
    received: received.buffer as SharedArrayBuffer,
  };
  const worker = new Worker(new URL('./ring-consumer.js', import.meta.url), { workerData: plan });
  await once(worker, 'message');
  const payloads = new Payloads(payloadBytes);
  const ended = once(worker, 'message');
  const cpu = cpuOf(process.pid).mainThread;
  const started = performance.now();
  if (way === 'ring') writeRing(memory, doorbell, payloads, messages);
  else postAll(worker, way, payloads, messages, received);
  // The other thread tells by shared memory: this one need not return to its event loop for that.
  waitUntil(() => Atomics.load(received, 0) === messages);
  const seconds = (performance.now() - started) / 1000;
  const sender = ((cpuOf(process.pid).mainThread - cpu) * 1e6) / messages;
  const [sums] = (await ended) as [Sums];
  check('sum of the numbers of all messages', sums.numbers, (messages * (messages - 1)) / 2);
  check('sum of the last bytes of all messages', sums.bytes, payloads.lastBytes);
  await worker.terminate();
  return { rate: messages / seconds, mb: (messages * payloadBytes) / seconds / 1e6, sender };
}

/** Messages of 64 bytes that one read of a socket brings, at least, when there are so many. */
const MESSAGES_A_TURN = 256;

function writeRing(memory: RingMemory, doorbell: Doorbell, payloads: Payloads, messages: number): void {
  const writer = new RingWriter(memory);
  const source = encodeSource('vehicle/can/0x1a0', 'ecu-1');
  const publish = () => {
    writer.publish();
    doorbell.ring();
  };
  const fits = (payload: Uint8Array) => writer.fits(source, 0, payload.length);
  for (let key = 1; key <= messages; key++) {
    const payload = payloads.next();
    if (!fits(payload)) {
      publish();
      waitUntil(() => {
        writer.commit(advance(writer.committed, Atomics.load(memory.control, TAIL)));
        return fits(payload);
      });
    }
    writer.append(key, source, 0, false, null, payload);
    if (key % MESSAGES_A_TURN === 0) publish();
  }
  publish();
}

function postAll(worker: Worker, way: Way, payloads: Payloads, messages: number, received: Int32Array): void {
  const { payloadBytes } = payloads;
  const handOver = payloadBytes >= HAND_OVER_BYTES;
  const batch = way === 'postMessage' ? 1 : Math.max(1, Math.min(BATCH_MESSAGES, BATCH_BYTES / payloadBytes));
  const window = Math.min(RING_MESSAGES, RING_BYTES / payloadBytes);
  for (let sent = 0; sent < messages; ) {
    const count = Math.min(batch, messages - sent);
    if (way === 'packed') {
      const packed = new Uint8Array(count * payloadBytes);
      for (let i = 0; i < count; i++) packed.set(payloads.next(), i * payloadBytes);
      worker.postMessage(packed, [packed.buffer]);
    } else {
      // A view would take the whole buffer behind it along.
      const copies = Array.from({ length: count }, () => payloads.next().slice());
      const message = way === 'arrays' ? copies : copies[0];
      worker.postMessage(message, handOver ? copies.map(({ buffer }) => buffer) : []);
    }
    sent += count;
    const most = sent - window;
    if (Atomics.load(received, 0) < most) waitUntil(() => Atomics.load(received, 0) >= most);
  }
}

/** Looks once a millisecond. */
function waitUntil(done: () => boolean): void {
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  while (!done()) Atomics.wait(nobody, 0, 0, 1);
}

/** Payloads that begin with their number, one after another, from one buffer. */
class Payloads {
  readonly payloadBytes: number;
  /** Of all that were given out. */
  lastBytes = 0;
  readonly #views: Uint8Array[] = [];
  readonly #data: DataView;
  #given = 0;

  constructor(payloadBytes: number) {
    this.payloadBytes = payloadBytes;
    const bytes = new Uint8Array(Math.max(SOURCE_BYTES, 2 * (payloadBytes + HEAD_BYTES)));
    fillPayload(bytes, randomOf(1));
    this.#data = new DataView(bytes.buffer);
    const stride = payloadBytes + HEAD_BYTES;
    for (let at = HEAD_BYTES; at + payloadBytes <= bytes.length; at += stride) {
      this.#views.push(bytes.subarray(at, at + payloadBytes));
    }
  }

  /** Valid until some thousand others were given out. */
  next(): Uint8Array {
    const view = this.#views[this.#given % this.#views.length];
    this.#data.setUint32(view.byteOffset, this.#given++, true);
    this.lastBytes += view[view.length - 1];
    return view;
  }
}
