import { randomBytes } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** For whoever owns it only. */
const PRIVATE = 0o600;

/** Puts a file in the place of an earlier one, as a whole or not at all. Nobody but its owner may read it. */
export async function replacePrivately(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', PRIVATE);
    try {
      await keepOwner(file, path);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const folder = await open(dirname(path));
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The broker may run as another user than who changes the file. */
async function keepOwner(
  file: { chown(uid: number, gid: number): Promise<void> },
  path: string,
): Promise<void> {
  const before = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (before !== null && before.uid !== process.getuid?.()) await file.chown(before.uid, before.gid);
}
