import type { StreamInput } from '../../src/config/schema.js';
import type { Protocol } from '../load/plan.js';
import { type Entrant, planFor, TOPIC } from './contestant.js';
import { OURS, OurBroker } from './ours.js';

/** A way to run our broker: with one stream of the default configuration but for what is said here. */
interface Variant {
  readonly who: string;
  readonly stream: Partial<StreamInput>;
  readonly captures: boolean;
  /** Whether messages may be overwritten in the ring before they are in a file. */
  readonly drops: boolean;
}

const STREAM = 'bench';

/** Publishers wait for the recorder: nothing is lost. */
export const CAPTURED: Variant = { who: OURS, stream: {}, captures: true, drops: false };
/** Publishers do not wait: what the recorder could not write in time is counted. */
export const DROP_OLDEST: Variant = {
  who: `${OURS}, drop-oldest`,
  stream: { ring: { whenFull: 'drop-oldest' } },
  captures: true,
  drops: true,
};
/** There is a stream, which wants something else. */
export const NOT_CAPTURED: Variant = {
  who: `${OURS}, not captured`,
  stream: { topics: ['other/#'] },
  captures: false,
  drops: false,
};

export function ours(folder: string, variant: Variant, protocol: Protocol = 'tcp'): Entrant {
  const { who, stream, captures, drops } = variant;
  const streams = [{ name: STREAM, topics: [`${TOPIC}/#`], retention: { maxBytes: '256MiB' }, ...stream }];
  return {
    who,
    ours: true,
    start: async () => {
      const broker = await OurBroker.start(folder, { streams }, protocol);
      return {
        broker,
        run: async (load, plan) => {
          const before = await broker.counts(STREAM);
          const flow = await load.run(planFor(broker, protocol, plan));
          const captured = captures ? flow.sent : 0;
          let dropped = 0;
          if (drops) dropped = await broker.checkCaptured(STREAM, captured, before);
          else await broker.checkWritten(STREAM, captured, before);
          return { flow, inFiles: captures ? 1 - dropped / captured : Number.NaN };
        },
      };
    },
  };
}
