/** One question is answered in a process of its own: none finds memory or compiled code that another has left. */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serve } from './child.js';
import type { Answer, Run } from './question.js';
import { QUESTIONS, type QuestionName } from './questions.js';

export interface QuestionOrder {
  readonly name: QuestionName;
  readonly run: Omit<Run, 'folder'>;
}

const folder = await mkdtemp(join(tmpdir(), 'mqtt-stream-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

serve(async ({ name, run }: QuestionOrder): Promise<Answer> => {
  const question = await QUESTIONS[name].load();
  return question({ ...run, folder });
});
