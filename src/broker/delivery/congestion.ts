import type { Outbox } from './outbox.js';
import type { Route } from './router.js';

/**
 * Calls back once, as soon as one of those on the route has less to do, or takes nothing at all. The others are not
 * left waiting: one that lags behind for long would gather them.
 */
export function whenOneIsRelieved(route: Route, callback: () => void): void {
  const outboxes = outboxesOf(route);
  let waits = true;
  const relieved = () => {
    if (!waits) return;
    waits = false;
    for (const outbox of outboxes) outbox.stopWaiting(relieved);
    callback();
  };
  for (const outbox of outboxes) if (waits) outbox.onReliefOrStall(relieved);
}

/** Of all whom messages on the route may go to and who are connected. */
function outboxesOf({ targets, shares }: Route): Outbox[] {
  return [targets, ...shares.map(({ members }) => members)].flatMap((some) =>
    some.map(({ session }) => session.outbox).filter((outbox) => outbox !== null),
  );
}
