import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { MqttStreamError } from '../errors.js';
import type { Terminal } from './terminal.js';

type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean };

/** A password: typed unseen, and twice, by a person; the first line of what is piped in. */
export async function readPassword(input: Input, terminal: Terminal): Promise<string> {
  if (input.isTTY !== true) return lineOf(input, false);
  terminal.err('password:');
  const password = await lineOf(input, true);
  terminal.err('the same again:');
  if ((await lineOf(input, true)) !== password) throw unusable('they are not the same');
  return password;
}

async function lineOf(input: Input, typed: boolean): Promise<string> {
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: unseen, terminal: typed });
  try {
    for await (const line of lines) {
      if (line !== '') return line;
      break;
    }
    throw unusable('it is empty');
  } finally {
    lines.close();
  }
}

function unusable(why: string): MqttStreamError {
  return new MqttStreamError('PASSWORD_UNUSABLE', [why]);
}
