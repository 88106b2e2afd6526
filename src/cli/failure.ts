import { CommanderError } from 'commander';
import { asKnown, type ErrorCode } from '../errors.js';
import { type Failure, Refusal } from './refusal.js';
import type { Terminal } from './terminal.js';

export const OK = 0;
export const FAILED = 1;
/** The command line or the configuration is wrong: nothing was started. */
export const MISUSED = 2;
/** As a shell calls the end by SIGINT. */
export const INTERRUPTED = 130;

const MISUSES: readonly ErrorCode[] = [
  'CONFIG_INVALID',
  'CONFIG_UNREADABLE',
  'ACCESS_FILE_INVALID',
  'ACCESS_FILE_UNREADABLE',
  'KEY_UNUSABLE',
  'KEY_MISSING',
  'KEY_WRONG',
];

/** Tells what a verb has thrown; the exit code for it. */
export function reportFailure(thrown: unknown, terminal: Terminal, json: boolean): number {
  // Told already.
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? OK : MISUSED;
  const failure = thrown instanceof Refusal ? thrown.failure : asKnown(thrown).toJSON();
  terminal.err(json ? JSON.stringify({ error: failure }) : failureText(failure));
  return MISUSES.includes(failure.code) ? MISUSED : FAILED;
}

/** Problems of a configuration are one a line, each beginning with file and line. */
function failureText({ code, message }: Failure): string {
  return code === 'CONFIG_INVALID'
    ? `${code}: the configuration cannot be used\n${message}`
    : `${code}: ${message}`;
}
