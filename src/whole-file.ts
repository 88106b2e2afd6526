import { dirname } from 'node:path';

/** The used part of `node:fs/promises`. */
export interface WholeFiles {
  open(
    path: string,
    flags: string,
    mode?: number,
  ): Promise<{ writeFile(text: string): Promise<void>; sync(): Promise<void>; close(): Promise<void> }>;
  rename(from: string, to: string): Promise<void>;
}

/**
 * Puts a small file, for this user only, in the place of an earlier one: whole as it was or whole as it is, also after a
 * power cut; once this resolves, as it is. One write at a time.
 */
export async function writeWhole(path: string, text: string, files: WholeFiles): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = await files.open(temporary, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(temporary, path);
  // Until its folder is synced, a power cut can bring the earlier one back.
  const folder = await files.open(dirname(path), 'r', 0);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
