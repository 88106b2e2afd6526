/** How values of a Parquet file become values here. */
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import type { Compressors } from 'hyparquet';
import { DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { compressors as scripted } from 'hyparquet-compressors';

// A topic may begin with U+FEFF, which is text there and no mark [MQTT-1.5.4-3].
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export const parsers = {
  ...DEFAULT_PARSERS,
  // The default makes Dates of milliseconds. Keys are below 2^53.
  timestampFromMicroseconds: (key: bigint) => Number(key),
  stringFromBytes: (bytes: Uint8Array) => decoder.decode(bytes),
};

/** The system's own code where Node 20 has it. A page says how long it is; it does not get more memory. */
export const compressors: Compressors = {
  ...scripted,
  GZIP: (input, length) => gunzipSync(input, { maxOutputLength: Math.max(1, length) }),
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: Math.max(1, length) }),
};
