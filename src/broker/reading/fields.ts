import { isUtf8 } from 'node:buffer';
import { malformed, type PacketFault, unreadable } from '../packet-fault.js';

const NOTHING = Buffer.alloc(0);
const CUT_SHORT = malformed('the packet is cut short');
const LEFT_OVER = malformed('the packet is longer than what is in it');
const NOT_UTF8 = malformed('a text is not well-formed UTF-8 [MQTT-1.5.4-1]');
const NUL = malformed('a text has a NUL character [MQTT-1.5.4-2]');
const BAD_INTEGER = malformed('a variable byte integer is malformed [MQTT-1.5.5-1]');

/**
 * The fields of one packet, one after the other (MQTT 5 section 1.5, MQTT 3.1.1 section 1.5). The first fault stays, and
 * what is read after it is empty: who reads asks once, at the end.
 */
export class Fields {
  bytes: Buffer = NOTHING;
  at = 0;
  end = 0;
  fault: PacketFault | null = null;
  /** While it is set, faults are not to be answered. */
  quiet = false;
  /** Of the properties read last: where they begin, and two values that do not go on as they came; 0: there is none. */
  propertiesAt = 0;
  expiryAt = 0;
  aliasAt = 0;

  open(bytes: Buffer, at: number, end: number): this {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.fault = null;
    this.quiet = false;
    return this;
  }

  /** Bytes that are not read yet; none after a fault. */
  get left(): number {
    return this.fault === null ? this.end - this.at : 0;
  }

  fail(fault: PacketFault): void {
    this.fault ??= this.quiet ? unreadable(fault.text) : fault;
    this.at = this.end;
  }

  byte(): number {
    return this.#has(1) ? this.bytes[this.at++] : 0;
  }

  twoBytes(): number {
    if (!this.#has(2)) return 0;
    const { bytes, at } = this;
    this.at = at + 2;
    return (bytes[at] << 8) | bytes[at + 1];
  }

  fourBytes(): number {
    if (!this.#has(4)) return 0;
    const { at } = this;
    this.at = at + 4;
    return this.bytes.readUInt32BE(at);
  }

  /** As short as it can be [MQTT-1.5.5-1]. */
  variableByteInteger(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (!this.#has(1)) return 0;
      const digit = this.bytes[this.at++];
      value |= (digit & 0x7f) << shift;
      if (digit >= 0x80) continue;
      if (digit > 0 || shift === 0) return value;
      break;
    }
    this.fail(BAD_INTEGER);
    return 0;
  }

  /** A view of binary data. */
  data(): Buffer {
    const length = this.twoBytes();
    if (!this.#has(length)) return NOTHING;
    const { at } = this;
    this.at = at + length;
    return this.bytes.subarray(at, at + length);
  }

  /** UTF-8, without NUL. */
  text(): string {
    const length = this.twoBytes();
    if (!this.#has(length)) return '';
    const { bytes, at } = this;
    const end = at + length;
    this.at = end;
    let all = 0;
    for (let i = at; i < end; i++) {
      const byte = bytes[i];
      if (byte === 0) this.fail(NUL);
      all |= byte;
    }
    if (all < 0x80) return bytes.toString('latin1', at, end);
    if (!isUtf8(bytes.subarray(at, end))) this.fail(NOT_UTF8);
    return bytes.toString('utf8', at, end);
  }

  /** Nothing may follow. */
  close(): void {
    if (this.left > 0) this.fail(LEFT_OVER);
  }

  #has(bytes: number): boolean {
    if (this.left >= bytes && this.fault === null) return true;
    this.fail(CUT_SHORT);
    return false;
  }
}
