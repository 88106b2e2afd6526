import { setTimeout as delay } from 'node:timers/promises';
import type { App } from '../app/app.js';
import { ofThem } from './quantity-text.js';

/** Of a stop, as a supervisor would wait. */
const STOP_MS = 5000;
/** For what follows the writing. */
const REST_MS = 500;

/** What of a stream is in no file at the end, and why. */
export interface Unwritten {
  readonly stream: string;
  readonly messages: number;
  readonly reason: string;
}

/** Stops within 5 s, whatever hangs. */
export async function stopApp(app: App): Promise<Unwritten[]> {
  const closed = await Promise.race([app.close(STOP_MS - REST_MS), delay(STOP_MS, null)]);
  const counts =
    closed ??
    [...app.streams.exchange.all()].map(({ name, ring }) => ({
      stream: name,
      messages: ring.written - ring.reusable,
    }));
  const failures = app.streams.failures();
  return counts
    .filter(({ messages }) => messages > 0)
    .map((one) => ({ ...one, reason: failures.get(one.stream) ?? 'the time was up' }));
}

export function unwrittenText(unwritten: readonly Unwritten[]): string {
  const lines = unwritten.map(
    ({ stream, messages, reason }) =>
      `stream ${stream}: ${ofThem(messages, 'message')} in no file: ${reason}`,
  );
  return `not everything is written\n${lines.join('\n')}`;
}
