import { CORRECTION, type Correction, wallOfKey } from '../clock/correction.js';

/** Wall time of a key, UTC: `2024-11-23T02:46:40.000001Z`; `-` where it is not known. */
export type WallTime = (key: number) => string;

export const UNKNOWN_WALL_TIME: WallTime = () => '-';

/** `corrections`: those of an answer; without any, keys are wall time. */
export function wallTimeBy(corrections: readonly object[] = []): WallTime {
  const known: Correction[] = corrections.map((one) => CORRECTION.parse(one));
  return (key) => textOfMicros(known.length === 0 ? key : wallOfKey(known, key));
}

function textOfMicros(micros: number): string {
  const date = new Date(Math.floor(micros / 1000));
  if (Number.isNaN(date.getTime())) return '-';
  const rest = micros - Math.floor(micros / 1000) * 1000;
  return `${date.toISOString().slice(0, -1)}${String(rest).padStart(3, '0')}Z`;
}
