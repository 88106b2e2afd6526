import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** One message to publish. */
export interface Recorded {
  readonly topic: string;
  readonly payload: Buffer;
}

const FOLDER = new URL('../../../../shared/data/', import.meta.url);

/** Why tests with real recordings cannot run here; false where they can. */
export const NO_RECORDINGS = existsSync(FOLDER)
  ? false
  : `the real recordings are not here: ${fileURLToPath(FOLDER)} does not exist`;

/** CAN frames of a real car: `(seconds) interface ID#HEX`. */
export function canFrames(): Recorded[] {
  return lines('candump.log').map((line) => {
    const [, id, hex] = / (\w+)#(\w*)$/.exec(line)!;
    return { topic: `vehicle/can/${id}`, payload: Buffer.from(hex, 'hex') };
  });
}

/** Signals of a real drive: a JSON object a line. */
export function driveSignals(): Recorded[] {
  return lines('openxc-drive.jsonl').map((line) => ({
    topic: `vehicle/signal/${(JSON.parse(line) as { name: string }).name}`,
    payload: Buffer.from(line),
  }));
}

function lines(file: string): string[] {
  return readFileSync(new URL(file, FOLDER), 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}
