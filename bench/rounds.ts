import { CheckFailed, type Run } from './question.js';
import type { Row, Sample } from './table.js';

/** One line of a table to be: something that can be measured again and again. */
export interface Contender {
  readonly case: string;
  readonly who: string;
  readonly ours: boolean;
  /** Measures once. Throws `CheckFailed` if it lost anything. */
  measure(): Promise<Sample>;
}

/**
 * Measures all contenders in turn, `rounds` times, after one turn that does not count; every other turn goes
 * backwards. Whoever fails a check once has no figures.
 */
export async function alternate({ quick, rounds }: Run, contenders: readonly Contender[]): Promise<Row[]> {
  const all = contenders.map((contender) => ({
    contender,
    samples: [] as Sample[],
    failure: null as string | null,
  }));
  const warmUps = quick ? 0 : 1;
  for (let round = 0; round < warmUps + rounds; round++) {
    for (const one of round % 2 === 0 ? all : all.toReversed()) {
      if (one.failure !== null) continue;
      globalThis.gc?.();
      try {
        const sample = await one.contender.measure();
        if (round >= warmUps) one.samples.push(sample);
      } catch (error) {
        if (!(error instanceof CheckFailed)) throw error;
        one.failure = error.message;
      }
    }
    progress(`  round ${round + 1} of ${warmUps + rounds}\n`);
  }
  return all.map(({ contender, samples, failure }) => ({
    case: contender.case,
    who: contender.who,
    ours: contender.ours,
    samples: failure === null ? samples : [],
    failure,
  }));
}

/** For whoever watches; the figures go to standard output. */
export function progress(text: string): void {
  process.stderr.write(text);
}
