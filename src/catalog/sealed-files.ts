/** Whether what is encrypted in a data folder can be opened, before anything else is done with it. */
import { join } from 'node:path';
import { StoredBytes } from '../seal/byte-source.js';
import { Keyring } from '../seal/keyring.js';
import { isSealedName } from '../seal/offered.js';
import { SLOT_BYTES, Slot } from '../seal/slot.js';
import { Unsound } from '../seal/unsound.js';
import type { Candidate } from './candidate.js';
import { TEMP_SUFFIX } from './naming.js';
import { type Place, systemCode } from './place.js';

/**
 * Throws `KEY_MISSING` or `KEY_WRONG` if the first or the last encrypted one of `candidates` in a folder, files or a
 * journal's segments, needs a key that is not here. `candidates` are in the order of folders and names: keys change with time, and
 * to ask all of 10,000 files takes a second. What is damaged at its beginning or cannot be read is for who reads it to say.
 */
export async function checkKeys(place: Place, candidates: readonly Candidate[]): Promise<void> {
  const { keyring = Keyring.EMPTY } = place;
  const encrypted = candidates.filter(({ name }) => isSealedName(withoutTemporary(name)));
  for (const [i, { folder, name }] of encrypted.entries()) {
    if (encrypted[i - 1]?.folder === folder && encrypted[i + 1]?.folder === folder) continue;
    const path = `${folder}/${name}`;
    const slot = await slotIn(place, path);
    if (slot !== null) keyring.unwrap(slot, path);
  }
}

async function slotIn({ dataDir, fs }: Place, path: string): Promise<Slot | null> {
  try {
    const handle = await fs.open(join(dataDir, path), 'r');
    try {
      const header = Buffer.alloc(SLOT_BYTES);
      await new StoredBytes(handle, SLOT_BYTES).read(header, 0);
      return Slot.of(header);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof Unsound || systemCode(error) !== undefined) return null;
    throw error;
  }
}

function withoutTemporary(name: string): string {
  return name.endsWith(TEMP_SUFFIX) ? name.slice(0, -TEMP_SUFFIX.length) : name;
}
