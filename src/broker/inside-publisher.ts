import type { Message } from './delivery/message.js';
import type { Route } from './delivery/router.js';
import { NOBODY, type Publisher } from './pipeline.js';

/**
 * Whoever publishes from inside is told when its message is captured, and not before one of those who get it has less
 * to do: who waits for that is as slow as the fastest of its subscribers, like a client.
 */
export function insidePublisher(finished: (error: Error | null) => void): Publisher {
  let congested = false;
  let published = false;
  let failure: Error | null = null;
  const done = () => {
    if (published && !congested) finished(failure);
  };
  return {
    ...NOBODY,
    congested: ({ targets }: Route) => {
      congested = true;
      const relieved = () => {
        if (!congested) return;
        congested = false;
        done();
      };
      for (const { session } of targets) session.outbox?.onReliefOrStall(relieved);
    },
    published: (_message: Message, _refused: boolean, error: Error | null) => {
      published = true;
      failure = error;
      done();
    },
  };
}
