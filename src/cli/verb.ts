import { type Command, Option } from 'commander';
import type { Terminal } from './terminal.js';

/** What every verb takes. */
export interface CommonOptions {
  readonly json?: true;
}

export interface VerbDefinition<Options> {
  readonly name: string;
  readonly summary: string;
  readonly options: (command: Command) => Command;
  /** Shown by --help. */
  readonly examples: readonly string[];
  /** The exit code. What it throws is told, and makes one. */
  readonly run: (
    options: Options & CommonOptions,
    terminal: Terminal,
    args: readonly string[],
  ) => Promise<number>;
}

/** Adds a verb to the program. */
export type Verb = (program: Command, terminal: Terminal, ended: (exitCode: number) => void) => void;

export function verb<Options extends object>(definition: VerbDefinition<Options>): Verb {
  const { name, summary, options, examples, run } = definition;
  return (program, terminal, ended) => {
    const command = program.command(name).summary(summary).description(summary);
    options(command)
      .addOption(new Option('--json', 'print JSON, one value a line'))
      .addHelpText('after', `\nExamples:\n${examples.map((one) => `  $ mqtt-stream ${one}\n`).join('')}`)
      .action(async () => ended(await run(command.opts<Options & CommonOptions>(), terminal, command.args)));
  };
}
