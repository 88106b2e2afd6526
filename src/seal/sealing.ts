import { DataKey, Piece, SEAL_BYTES } from './data-key.js';
import { FRAME_BYTES } from './envelope.js';
import type { Keyring } from './keyring.js';

/** A sealed file piece by piece, each valid until the next; its data key is a new one each time. @throws KEY_MISSING */
export function* sealed(bytes: Uint8Array, keyring: Keyring): Generator<Buffer, void> {
  const { dataKey, slot } = keyring.newDataKey();
  const key = new DataKey(dataKey);
  const frame = Buffer.allocUnsafe(FRAME_BYTES + SEAL_BYTES);
  yield slot.bytes;
  for (let start = 0, number = 0; start === 0 || start < bytes.length; start += FRAME_BYTES, number++) {
    const kind = start + FRAME_BYTES >= bytes.length ? Piece.lastFrame : Piece.frame;
    const length = key.seal([bytes.subarray(start, start + FRAME_BYTES)], number, kind, frame);
    yield frame.subarray(0, length);
  }
}
