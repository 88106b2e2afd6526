#!/usr/bin/env node
import { runCommand } from './program.js';
import { Terminal } from './terminal.js';

const terminal = new Terminal(process.stdout, process.stderr);
// `process.exit`: a connection or timer that is left over must not keep a verb that has ended.
process.exit(await runCommand(process.argv.slice(2), terminal));
