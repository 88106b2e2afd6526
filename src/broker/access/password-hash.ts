import { scrypt, timingSafeEqual } from 'node:crypto';

/** A password as it is kept: `$scrypt$ln=15,r=8,p=1$<salt>$<hash>`, the last two in base64 without padding. */
export interface PasswordHash {
  /** Binary logarithm of the work. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/** 32 MiB and some 60 ms. */
export const COST = { ln: 15, r: 8, p: 1 } as const;
export const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** What a file may ask for: else one login could take all the memory. */
const MOST_MEMORY = 256 * 1024 * 1024;

const FORM = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{22,86})\$([A-Za-z0-9+/]{43})$/;

/** null if the text is none. */
export function parsePasswordHash(text: string): PasswordHash | null {
  const match = FORM.exec(text);
  if (match === null) return null;
  const [ln, r, p] = match.slice(1, 4).map(Number);
  const usable = ln >= 10 && r >= 1 && p >= 1 && memoryOf(ln, r) <= MOST_MEMORY;
  const [salt, hash] = match.slice(4).map((base64) => Buffer.from(base64, 'base64'));
  return usable ? { ln, r, p, salt, hash } : null;
}

export function passwordHashText({ ln, r, p, salt, hash }: PasswordHash): string {
  const text = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');
  return `$scrypt$ln=${ln},r=${r},p=${p}$${text(salt)}$${text(hash)}`;
}

export async function hashPassword(
  password: Buffer,
  salt: Buffer,
  cost: Pick<PasswordHash, 'ln' | 'r' | 'p'> = COST,
): Promise<PasswordHash> {
  const { ln, r, p } = cost;
  return { ln, r, p, salt, hash: await derived(password, salt, cost) };
}

export async function isPassword(password: Buffer, kept: PasswordHash): Promise<boolean> {
  return timingSafeEqual(await derived(password, kept.salt, kept), kept.hash);
}

function derived(
  password: Buffer,
  salt: Buffer,
  { ln, r, p }: Pick<PasswordHash, 'ln' | 'r' | 'p'>,
): Promise<Buffer> {
  const options = { N: 2 ** ln, r, p, maxmem: memoryOf(ln, r) + 2 * 128 * r * p + 1024 * 1024 };
  return new Promise((resolve, reject) =>
    scrypt(password, salt, HASH_BYTES, options, (error, key) => (error ? reject(error) : resolve(key))),
  );
}

/** Bytes. */
function memoryOf(ln: number, r: number): number {
  return 128 * r * 2 ** ln;
}
