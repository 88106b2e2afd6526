import { createHash } from 'node:crypto';
import type { Init, TransferFile } from './messages.js';
import { readFailed, type Source } from './source.js';
import type { Step } from './topics.js';

/** Chunks read but not acknowledged: the memory of a transfer, whatever the size of the file. */
export const WINDOW = 4;

/** Resolves with the acknowledgement. */
export type Publish = (step: Step, payload: string | Buffer) => Promise<void>;

export interface Sending {
  readonly stream: string;
  readonly chunkBytes: number;
  readonly file: TransferFile;
}

interface Slot {
  readonly buffer: Buffer;
  acknowledged: Promise<void>;
}

/**
 * Sends one file from `init` to `fin`. `fin` says that the bytes sent were those announced: it is not
 * reached otherwise.
 * @throws TRANSFER_READ_FAILED, and whatever `publish` throws.
 */
export async function sendFile(source: Source, sending: Sending, publish: Publish): Promise<void> {
  const { stream, chunkBytes, file } = sending;
  const { name, bytes, rows, firstKey, lastKey } = file;
  const sha256 = file.sha256 ?? (await source.sha256(chunkBytes));
  const init: Init = { name, stream, bytes, sha256, chunkBytes, rows, firstKey, lastKey };
  await publish('init', JSON.stringify(init));

  const hash = createHash('sha256');
  const slots: Slot[] = [];
  for (let offset = 0, i = 0; offset < bytes; offset += chunkBytes, i++) {
    slots[i % WINDOW] ??= {
      buffer: Buffer.allocUnsafe(Math.min(chunkBytes, bytes)),
      acknowledged: Promise.resolve(),
    };
    const slot = slots[i % WINDOW]!;
    // The buffer belongs to the connection until then.
    await slot.acknowledged;
    const chunk = slot.buffer.subarray(0, Math.min(chunkBytes, bytes - offset));
    await source.read(chunk, offset);
    hash.update(chunk);
    slot.acknowledged = publish(offset, chunk);
    // Awaited when the slot's turn comes; until then a failure must not count as unhandled.
    slot.acknowledged.catch(() => undefined);
  }
  await Promise.all(slots.map((slot) => slot.acknowledged));
  if (hash.digest('hex') !== sha256) throw readFailed(name, 'its sha256 is not the announced one');
  await publish('fin', JSON.stringify({ bytes, sha256 }));
}
