/** `npm run bench`: asks the questions one after another, prints tables, writes them and all samples. */
import { writeFile } from 'node:fs/promises';
import { Child } from './child.js';
import { type Command, HELP, parseCommand } from './command.js';
import { thisMachine, versions } from './machine.js';
import { type Answer, failed } from './question.js';
import type { QuestionOrder } from './question-process.js';
import type { QuestionName } from './questions.js';
import { markdownOf, type Report, textOf } from './report.js';

/** No question takes longer, apart from the minutes that were asked for. */
const MOST_SECONDS = 90 * 60;

const args = process.argv.slice(2);
let command: Command | null;
try {
  command = parseCommand(args);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n\n${HELP}`);
  process.exit(2);
}
if (command === null) process.stdout.write(HELP);
else await ask(command);

async function ask({ names, quick, rounds, minutes, json, markdown }: Command): Promise<void> {
  const machine = thisMachine();
  const questions: { name: QuestionName; answer: Answer }[] = [];
  const report: Report = {
    command: ['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' '),
    date: new Date().toISOString(),
    quick,
    machine,
    versions: versions(),
    questions,
  };
  for (const name of names) {
    process.stderr.write(`${name} ...\n`);
    const child = new Child(new URL('./question-process.js', import.meta.url));
    try {
      const order: QuestionOrder = { name, run: { quick, rounds, minutes } };
      const answer = await child.ask<Answer>(order, MOST_SECONDS + minutes * 60);
      questions.push({ name, answer });
      process.stdout.write(textOf(name, answer, quick));
      if (failed(answer)) process.exitCode = 1;
    } catch (error) {
      const note = `no figures: ${(error as Error).message}`;
      process.stdout.write(`${name}: ${note}\n\n`);
      questions.push({ name, answer: { tables: [], targets: [], notes: [note.split('\n', 1)[0]] } });
      process.exitCode = 1;
    } finally {
      await child.stop();
    }
  }
  if (json !== null) await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
  if (markdown !== null) await writeFile(markdown, markdownOf(report));
}
