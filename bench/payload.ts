/** Bytes of the text that repeats, and of noise, in each run of a payload. */
const TEXT = Buffer.from('"speed":83.21,"rpm":2150,"gear":4,"soc":71.5,"temp":21.5,"flags":"00"');
const TEXT_RUN = 24;
const NOISE_RUN = 16;

/** A generator of numbers in 0 to 2^32 - 1 that always gives the same ones for a seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** Fills `bytes` with data that compresses to about half: pieces of one text with noise between them. */
export function fillPayload(bytes: Uint8Array, random: () => number): void {
  let at = 0;
  while (at < bytes.length) {
    const from = random() % (TEXT.length - TEXT_RUN);
    const text = Math.min(TEXT_RUN, bytes.length - at);
    bytes.set(TEXT.subarray(from, from + text), at);
    at += text;
    for (const end = Math.min(at + NOISE_RUN, bytes.length); at < end; at++) bytes[at] = random() & 0xff;
  }
}
