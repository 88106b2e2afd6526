/**
 * For a change that nobody waits for by itself: whoever depends on it waits for everything that was put (`written`).
 * What cannot be written the store reports, and one to something that is gone meanwhile changes nothing.
 */
export function unawaited(change: Promise<unknown>): void {
  change.catch(() => {});
}
