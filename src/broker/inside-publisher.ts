import { whenOneIsRelieved } from './delivery/congestion.js';
import { NOBODY, type Publisher } from './pipeline.js';

/**
 * Whoever publishes from inside is told when its message is captured, and not before one of those who get it has less
 * to do: who waits for that is as slow as the fastest of its subscribers, like a client.
 */
export function insidePublisher(finished: (error: Error | null) => void): Publisher {
  let congested = false;
  /** Undefined: it is not published yet. */
  let outcome: Error | null | undefined;
  const done = () => {
    if (outcome !== undefined && !congested) finished(outcome);
  };
  return {
    ...NOBODY,
    congested: (route) => {
      congested = true;
      whenOneIsRelieved(route, () => {
        congested = false;
        done();
      });
    },
    published: (_message, _reason, safe) => {
      const settled = (error: Error | null) => {
        outcome = error;
        done();
      };
      if (safe === null) settled(null);
      else safe.then(() => settled(null), settled);
    },
  };
}
