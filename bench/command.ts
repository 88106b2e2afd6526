import { parseArgs } from 'node:util';
import { DEFAULTS, isQuestion, QUESTIONS, type QuestionName } from './questions.js';

export interface Command {
  readonly names: readonly QuestionName[];
  readonly quick: boolean;
  readonly rounds: number;
  readonly minutes: number;
  readonly json: string | null;
  readonly markdown: string | null;
}

const DEFAULT_ROUNDS = 5;
const DEFAULT_MINUTES = 10;

export const HELP = `npm run bench [-- [--quick] [--rounds N] [--minutes N] [--json FILE] [--markdown FILE] [name...]]

Measures mqtt-stream, side by side with what else is installed, and prints tables. A run that lost a message has
no figure. Without names all questions but those marked * are asked.

${Object.entries(QUESTIONS)
  .map(
    ([name, { asks }]) =>
      `  ${(DEFAULTS.includes(name as QuestionName) ? name : `${name}*`).padEnd(15)} ${asks}`,
  )
  .join('\n')}

  --quick          tiny counts, one round: only tries whether everything works
  --rounds N       how often each is measured, in turn (${DEFAULT_ROUNDS})
  --minutes N      how long memory watches (${DEFAULT_MINUTES})
  --json FILE      writes all samples, machine and versions
  --markdown FILE  writes the tables

Examples:
  npm run bench -- ring pipeline
  npm run bench -- --rounds 3 --json bench.json broker
  npm run bench -- memory --minutes 30

Exit code: 0, 1 if a run of mqtt-stream failed its check, 2 for a wrong command line.
`;

/** Throws an error with a text for people; null: they asked for help. */
export function parseCommand(args: readonly string[]): Command | null {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      quick: { type: 'boolean' },
      rounds: { type: 'string' },
      minutes: { type: 'string' },
      json: { type: 'string' },
      markdown: { type: 'string' },
    },
  });
  if (values.help) return null;
  const names = positionals.map((name) => {
    if (isQuestion(name)) return name;
    throw new Error(`"${name}" is not one of ${Object.keys(QUESTIONS).join(', ')}`);
  });
  const quick = values.quick ?? false;
  return {
    names: names.length > 0 ? names : DEFAULTS,
    quick,
    rounds: positive('rounds', values.rounds, quick ? 1 : DEFAULT_ROUNDS, 1000),
    minutes: positive('minutes', values.minutes, DEFAULT_MINUTES, 24 * 60),
    json: values.json ?? null,
    markdown: values.markdown ?? null,
  };
}

function positive(name: string, text: string | undefined, otherwise: number, most: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > most) {
    throw new Error(`--${name} is a whole number from 1 to ${most}, not "${text}"`);
  }
  return value;
}
