import type { Clock } from './clock.js';

interface Log {
  debug(fields: object, text: string): void;
  warn(fields: object, text: string): void;
}

/** A smaller change of the wall clock is nothing to be told of: it drifts. Microseconds. */
const TOLD = 200_000;
const NONSENSE = 'the wall clock shows a time that cannot be; it is not followed';

/** Says in the log what is the matter with the wall clock; `corrected` is called when the corrections have changed. */
export function watchClock(clock: Clock, log: Log, corrected: () => void): void {
  const wall = () => new Date(clock.wallOf(clock.last) / 1000).toISOString();
  let { doubtful } = clock;
  if (doubtful) {
    const text =
      'the wall clock cannot be right; when it is set, all messages since the boot get their time anew';
    log.warn({ wall: wall() }, text);
  } else if (!clock.plausible) log.warn({}, NONSENSE);
  clock.onCorrection = (correction, change) => {
    if (doubtful)
      log.warn(
        { ...correction, change, wall: wall() },
        'the wall clock was set, and with it the time of all messages since the boot',
      );
    else if (Math.abs(change) > TOLD)
      log.warn({ ...correction, change }, 'the wall clock stepped; keys go on, and a correction is recorded');
    else log.debug({ ...correction, change }, 'the wall clock drifts, and a correction is recorded');
    ({ doubtful } = clock);
    corrected();
  };
  clock.onNonsense = (micros) => log.warn({ shown: new Date(micros / 1000).toISOString() }, NONSENSE);
}
