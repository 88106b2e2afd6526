import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { MqttStreamError } from '../errors.js';
import { KEY_BYTES } from './data-key.js';
import { KEY_ID, Slot } from './slot.js';

/** A key that wraps data keys. It goes to other threads as it is; what prints it prints nothing of it. */
export interface NamedKey {
  /** `null`: for whatever it fits. It opens only. */
  readonly id: string | null;
  readonly key: KeyObject;
}

/** The first key wraps new data keys; all of them unwrap. */
export class Keyring {
  static readonly EMPTY = new Keyring([]);
  readonly keys: readonly NamedKey[];

  constructor(keys: readonly NamedKey[]) {
    this.keys = keys;
  }

  /** A new data key, and the slot that it stands in. @throws KEY_MISSING without a key that wraps */
  newDataKey(): { dataKey: Buffer; slot: Slot } {
    const [first] = this.keys;
    if (first === undefined || first.id === null) throw this.missing('what is to be encrypted');
    const dataKey = randomBytes(KEY_BYTES);
    return { dataKey, slot: Slot.wrap(dataKey, first.id, first.key) };
  }

  /**
   * The data key. `what` is how errors call what the slot stands in.
   * @throws KEY_MISSING if the key of its id is not here, KEY_WRONG if it is another one
   */
  unwrap(slot: Slot, what: string): Buffer {
    let tried = false;
    for (const { id, key } of this.keys) {
      if (id !== null && id !== slot.id) continue;
      const dataKey = slot.unwrap(key);
      if (dataKey !== null) return dataKey;
      tried = true;
    }
    throw tried ? new MqttStreamError('KEY_WRONG', [what, slot.id]) : this.missing(what, slot.id);
  }

  /** That the key `id`, or any at all, is not here, which `what` needs. */
  missing(what: string, id?: string): MqttStreamError {
    const needed = id === undefined ? 'an encryption key' : `the encryption key ${quoted(id)}`;
    const known = this.keys.map(({ id }) => (id === null ? 'one without a name' : quoted(id)));
    return new MqttStreamError('KEY_MISSING', [what, needed, known.join(', ') || 'none']);
  }
}

/** As people keep keys: 32 bytes, or these as text; `null` for anything else. */
export function parseKey(bytes: Uint8Array): KeyObject | null {
  if (bytes.length === KEY_BYTES) return createSecretKey(bytes);
  return parseKeyText(Buffer.from(bytes).toString('latin1').trim());
}

/** 32 bytes as hex or base64; `null` for anything else. A password is none, however long. */
export function parseKeyText(text: string): KeyObject | null {
  const raw = /^[0-9a-fA-F]{64}$/.test(text)
    ? Buffer.from(text, 'hex')
    : /^[A-Za-z0-9+/_-]{43}=?$/.test(text)
      ? Buffer.from(text, 'base64')
      : null;
  return raw?.length === KEY_BYTES ? createSecretKey(raw) : null;
}

/** @throws KEY_UNUSABLE for one that has no usable name, or is there twice */
export function checkIds(ids: readonly string[]): void {
  for (const [i, id] of ids.entries()) {
    if (!KEY_ID.test(id))
      throw new MqttStreamError('KEY_UNUSABLE', [id, 'its id needs 1 to 64 characters of A-Z a-z 0-9 . _ -']);
    if (ids.indexOf(id) !== i) throw new MqttStreamError('KEY_UNUSABLE', [id, 'there are two of this id']);
  }
}

function quoted(id: string): string {
  return `"${id}"`;
}
