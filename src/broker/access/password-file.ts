import { MqttStreamError } from '../../errors.js';
import { type PasswordHash, parsePasswordHash, passwordHashText } from './password-hash.js';

interface Entry {
  readonly user: string;
  readonly hash: PasswordHash;
}

/** `user:$scrypt$...`, one a line; lines that are empty or begin with `#` say nothing. Names may hold colons. */
export class PasswordFile {
  readonly #name: string;
  /** As they are written, and what they say. */
  readonly #lines: { readonly text: string; readonly entry: Entry | null }[] = [];

  /** `name` is how errors call it. @throws ACCESS_FILE_INVALID for a line that is not understood */
  constructor(text: string, name: string) {
    this.#name = name;
    const lines = text.split(/\r?\n/);
    // What ends the last line begins no other.
    if (lines.at(-1) === '') lines.pop();
    const known = new Set<string>();
    for (const [i, line] of lines.entries()) {
      const entry = this.#entryOf(line, i + 1);
      if (entry !== null) {
        if (known.has(entry.user)) throw this.#fault(i + 1, `"${entry.user}" is there twice`);
        known.add(entry.user);
      }
      this.#lines.push({ text: line, entry });
    }
  }

  get users(): ReadonlyMap<string, PasswordHash> {
    return new Map(this.#entries().map(({ user, hash }) => [user, hash]));
  }

  has(user: string): boolean {
    return this.#entries().some((entry) => entry.user === user);
  }

  /** Replaces an earlier password of the user. @throws ACCESS_FILE_INVALID for a name that fits on no line */
  set(user: string, hash: PasswordHash): void {
    const text = `${user}:${passwordHashText(hash)}`;
    const fits = user !== '' && !user.startsWith('#') && !/[\r\n\0]/.test(user);
    if (!fits) throw new MqttStreamError('ACCESS_FILE_INVALID', [this.#name, `"${user}" cannot be a user`]);
    const line = { text, entry: { user, hash } };
    const at = this.#lines.findIndex(({ entry }) => entry?.user === user);
    if (at === -1) this.#lines.push(line);
    else this.#lines[at] = line;
  }

  delete(user: string): void {
    const at = this.#lines.findIndex(({ entry }) => entry?.user === user);
    if (at !== -1) this.#lines.splice(at, 1);
  }

  toString(): string {
    return this.#lines.map(({ text }) => `${text}\n`).join('');
  }

  #entries(): Entry[] {
    return this.#lines.flatMap(({ entry }) => (entry === null ? [] : [entry]));
  }

  #entryOf(line: string, number: number): Entry | null {
    if (line.trim() === '' || line.startsWith('#')) return null;
    const colon = line.lastIndexOf(':');
    const hash = parsePasswordHash(line.slice(colon + 1).trimEnd());
    if (colon > 0 && hash !== null) return { user: line.slice(0, colon), hash };
    throw this.#fault(number, 'expected user:$scrypt$..., as "mqtt-stream passwd add" writes it');
  }

  #fault(line: number, text: string): MqttStreamError {
    return new MqttStreamError('ACCESS_FILE_INVALID', [`${this.#name}:${line}`, text]);
  }
}
