import { Layout, SEALED_SUFFIX } from './envelope.js';

/** What goes out of a file: as it is stored, or what is in it. */
export interface Offered {
  readonly name: string;
  readonly bytes: number;
  /** Only if it is sealed and leaves open. */
  readonly decrypt: boolean;
}

export function isSealedName(name: string): boolean {
  return name.endsWith(SEALED_SUFFIX);
}

export function openedName(name: string): string {
  return isSealedName(name) ? name.slice(0, -SEALED_SUFFIX.length) : name;
}

/** `decrypt`: whether sealed files leave open. */
export function offered({ name, bytes }: { name: string; bytes: number }, decrypt: boolean): Offered {
  if (!decrypt || !isSealedName(name)) return { name, bytes, decrypt: false };
  return { name: openedName(name), bytes: new Layout(bytes).byteLength, decrypt: true };
}
