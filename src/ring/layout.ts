/**
 * The shared memory of one stream's ring, in one SharedArrayBuffer:
 *
 *   control   Int32[16]           cursors, see below
 *   keys      Float64[slots]      key of the message, microseconds, strictly rising with the sequence
 *   offsets   Float64[slots]      bytes taken up before it: what a row of messages takes up is a difference
 *   positions Uint32[slots]       where its record starts in `bytes`
 *   names     Uint32[slots]       length of topic (low 16 bits) and client id (high 16 bits) in bytes
 *   hashes    Uint32[slots]       hash of topic and client id, so that the recorder interns without hashing
 *   props     Uint32[slots]       length of the properties JSON in bytes
 *   payloads  Uint32[slots]       length of the payload in bytes
 *   metas     Uint32[slots]       qos (bits 0-1), retain (2), no client (3), padding before the payload (4-6)
 *   bytes     Uint8[size]         the records
 *
 * A record is `topic client-id | to 8 | properties | padding | payload`, starts at a multiple of 8, and never
 * wraps: one that does not fit before the end starts at position 0. The padding makes the payload's position
 * congruent modulo 8 to where it was copied from: such copies are 4-5 times as fast as others.
 *
 * Messages are numbered from 0 without end (exact to 2^53); slot = sequence modulo `slots`, a power of two.
 * Cursors hold the low 32 bits of a sequence; each side keeps the whole number and adds the difference.
 *
 * Memory order: one thread (the broker's) writes. It fills records and slots by plain stores, then stores WRITTEN
 * with Atomics (sequentially consistent), so whoever loads WRITTEN sees every message before it whole.
 * AWAITED is one past the last message that somebody waits for to be safe; it is stored before the WRITTEN that shows it.
 * TAIL is the first message that the recorder has not taken over. It moves by compareExchange only: the recorder
 * moves it after copying rows out, the writer when its policy drops rows that nobody took. Whoever wins owns the
 * rows, so a message is either recorded or counted as dropped, never both, and never neither. The writer
 * overwrites rows only below TAIL; a recorder that loses the exchange throws away what it copied.
 */

export const WRITTEN = 0;
export const TAIL = 1;
export const AWAITED = 2;

const CONTROL_BYTES = 64;
const BYTES_PER_SLOT = 8 + 8 + 6 * 4;

export const META_QOS = 0b11;
export const META_RETAIN = 1 << 2;
export const META_NO_CLIENT = 1 << 3;
export const META_PAD_SHIFT = 4;

export interface RingMemory {
  readonly shared: SharedArrayBuffer;
  /** Most messages the ring holds at once; at most `slots`. */
  readonly messages: number;
  /** Bytes for records. */
  readonly size: number;
  /** slots - 1; slots is a power of two. */
  readonly mask: number;
  readonly control: Int32Array;
  readonly keys: Float64Array;
  readonly offsets: Float64Array;
  readonly positions: Uint32Array;
  readonly names: Uint32Array;
  readonly hashes: Uint32Array;
  readonly props: Uint32Array;
  readonly payloads: Uint32Array;
  readonly metas: Uint32Array;
  readonly bytes: Uint8Array;
  /** The same memory as `bytes`, as words of 4. */
  readonly words: Int32Array;
}

/** What another thread needs to see the same ring. */
export interface RingHandle {
  readonly shared: SharedArrayBuffer;
  readonly messages: number;
  readonly size: number;
}

/** A new ring for `messages` messages and `bytes` bytes of records. */
export function allocateRing(messages: number, bytes: number): RingMemory {
  const size = Math.ceil(bytes / 8) * 8;
  const shared = new SharedArrayBuffer(CONTROL_BYTES + slotsFor(messages) * BYTES_PER_SLOT + size);
  return attachRing({ shared, messages, size });
}

/** The views on an existing ring. */
export function attachRing({ shared, messages, size }: RingHandle): RingMemory {
  const slots = slotsFor(messages);
  let at = CONTROL_BYTES;
  const f64 = () => {
    const view = new Float64Array(shared, at, slots);
    at += view.byteLength;
    return view;
  };
  const u32 = () => {
    const view = new Uint32Array(shared, at, slots);
    at += view.byteLength;
    return view;
  };
  return {
    shared,
    messages,
    size,
    mask: slots - 1,
    control: new Int32Array(shared, 0, CONTROL_BYTES / 4),
    keys: f64(),
    offsets: f64(),
    positions: u32(),
    names: u32(),
    hashes: u32(),
    props: u32(),
    payloads: u32(),
    metas: u32(),
    bytes: new Uint8Array(shared, at, size),
    words: new Int32Array(shared, at, size / 4),
  };
}

/**
 * How much a ring wants to be emptied; from 1 on its messages are written without being asked for, so that nobody
 * waits for room. Half of the messages: while they are written the other half takes what comes, as fast as files are
 * made. Three quarters of the bytes: large payloads are worth large files, and are seldom that many.
 */
export function pressureOf(ring: RingMemory, messages: number, bytes: number): number {
  return Math.max((messages * 2) / ring.messages, (bytes * 4) / (ring.size * 3));
}

/** The whole sequence whose low 32 bits are `low`, given one known to be at most 2^31 before it. */
export function advance(known: number, low: number): number {
  return known + ((low - (known | 0)) | 0);
}

/** A length rounded up to a multiple of 8. */
export function align8(bytes: number): number {
  return (bytes + 7) & ~7;
}

function slotsFor(messages: number): number {
  let slots = 8;
  while (slots < messages) slots *= 2;
  return slots;
}
