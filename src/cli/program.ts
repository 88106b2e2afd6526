import { Command } from 'commander';
import { VERSION } from '../version.js';
import { aclVerb } from './acl.js';
import { checkVerb } from './check.js';
import { decryptVerb } from './decrypt.js';
import { demoVerb } from './demo.js';
import { doctorVerb } from './doctor.js';
import { OK, reportFailure } from './failure.js';
import { filesVerb } from './files.js';
import { flushVerb } from './flush.js';
import { passwdVerb } from './passwd.js';
import { receiveVerb } from './receive.js';
import { recoverVerb } from './recover.js';
import { replayVerb } from './replay.js';
import { searchVerb } from './search.js';
import { startVerb } from './start.js';
import { statusVerb } from './status.js';
import type { Terminal } from './terminal.js';
import { transferVerb } from './transfer.js';

const VERBS = [
  startVerb,
  checkVerb,
  flushVerb,
  searchVerb,
  replayVerb,
  filesVerb,
  statusVerb,
  transferVerb,
  receiveVerb,
  decryptVerb,
  doctorVerb,
  recoverVerb,
  passwdVerb,
  aclVerb,
  demoVerb,
];

/** Runs one command line; resolves with its exit code, whatever happens. */
export async function runCommand(args: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode = OK;
  const program = new Command('mqtt-stream')
    .description('The MQTT broker of a vehicle with a message queue inside.')
    .version(VERSION)
    .showHelpAfterError('(--help shows how)')
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
    })
    .exitOverride();
  for (const add of VERBS) {
    add(program, terminal, (code) => {
      exitCode = code;
    });
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (thrown) {
    return reportFailure(thrown, terminal, args.includes('--json'));
  }
}
