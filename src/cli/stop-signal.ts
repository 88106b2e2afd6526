import { INTERRUPTED } from './failure.js';

/** Resolves with the first SIGINT or SIGTERM from now on. The second one ends the process at once. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (asked) process.exit(INTERRUPTED);
        asked = true;
        resolve(signal);
      });
    }
  });
}
