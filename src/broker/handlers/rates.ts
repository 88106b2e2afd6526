import type { Connection } from '../connection.js';
import { TokenBucket } from '../token-bucket.js';
import type { HandlerParts } from './parts.js';

/** Not read until it may send the next one: TCP slows it down. What is left of one that is over is not held up. */
export function slowDown({ limits, monotonic: now, stats }: HandlerParts, connection: Connection): void {
  connection.publishes ??= new TokenBucket(limits.messagesPerSecond, now());
  connection.publishes.take(now());
  const { wait } = connection.publishes;
  if (wait === 0 || connection.client.closed) return;
  stats.slowedDown++;
  connection.hold();
  setTimeout(() => connection.release(), wait).unref();
}

/** False: its client asks too often. */
export function mayAsk({ limits, monotonic: now, stats }: HandlerParts, connection: Connection): boolean {
  if (limits.requestsPerSecond === 0) return true;
  connection.requests ??= new TokenBucket(limits.requestsPerSecond, now());
  const allowed = connection.requests.take(now());
  if (!allowed) stats.requestsRefused++;
  return allowed;
}
