/** Variable Byte Integers, MQTT 5 section 1.5.5. */

/** How long one is. */
export function varIntBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : 4;
}

export function writeVarInt(into: Buffer, value: number, at: number): void {
  let left = value;
  let position = at;
  do {
    const low = left & 0x7f;
    left >>>= 7;
    into[position++] = left > 0 ? low | 0x80 : low;
  } while (left > 0);
}
