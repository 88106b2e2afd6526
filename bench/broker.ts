import { connections } from './connections.js';
import { latency } from './latency.js';
import { matching } from './matching.js';
import type { Answer, Question, Run } from './question.js';
import { progress } from './rounds.js';
import { routing } from './routing.js';
import { stalled } from './stalled.js';
import { websocket } from './websocket.js';

const PARTS: Readonly<Record<string, Question>> = {
  routing,
  latency,
  websocket,
  connections,
  matching,
  stalled,
};

/** Our broker beside others, in everything that brokers do. */
export async function broker(run: Run): Promise<Answer> {
  const answers: Answer[] = [];
  for (const [name, part] of Object.entries(PARTS)) {
    progress(` ${name} ...\n`);
    answers.push(await part(run));
  }
  return {
    tables: answers.flatMap(({ tables }) => tables),
    targets: answers.flatMap(({ targets }) => targets),
    // Several parts say the same.
    notes: [...new Set(answers.flatMap(({ notes }) => notes))],
  };
}
