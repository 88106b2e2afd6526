import type { Route } from './router.js';

/**
 * Calls back once, as soon as one of those on the route has less to do, or takes nothing at all. The others are not
 * left waiting: one that lags behind for long would gather them.
 */
export function whenOneIsRelieved({ targets }: Route, callback: () => void): void {
  let waits = true;
  const relieved = () => {
    if (!waits) return;
    waits = false;
    for (const { session } of targets) session.outbox?.stopWaiting(relieved);
    callback();
  };
  for (const { session } of targets) if (waits) session.outbox?.onReliefOrStall(relieved);
}
