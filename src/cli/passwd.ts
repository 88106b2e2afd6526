import { randomBytes } from 'node:crypto';
import { readFile, realpath } from 'node:fs/promises';
import { Argument, type Command } from 'commander';
import { PasswordFile } from '../broker/access/password-file.js';
import { hashPassword, SALT_BYTES } from '../broker/access/password-hash.js';
import { MqttStreamError, textOf } from '../errors.js';
import { OK } from './failure.js';
import { replacePrivately } from './private-file.js';
import { readPassword } from './secret.js';
import type { Terminal } from './terminal.js';
import { verb } from './verb.js';

export const passwdVerb = verb<object>({
  name: 'passwd',
  summary: 'keep a file of users: add one or give it another password, remove one, list them',
  options: (command) =>
    command
      .addArgument(new Argument('<what>', 'what to do').choices(['add', 'remove', 'list']))
      .argument('<file>', 'the file that authentication of type password names')
      .argument('[user]', 'whom to add or remove; the password is asked for, or comes on standard input')
      .hook('preAction', needsUser),
  examples: [
    'passwd add users ada',
    'echo "$PASSWORD" | mqtt-stream passwd add users ada',
    'passwd list users',
  ],
  run: async ({ json }, terminal, [what, file, user]) => {
    const { path, users } = await opened(file, what === 'add');
    if (what === 'list') {
      for (const name of users.users.keys()) terminal.out(json ? JSON.stringify({ user: name }) : name);
      return OK;
    }
    const known = users.has(user);
    if (what === 'add') {
      const password = Buffer.from(await readPassword(process.stdin, terminal));
      users.set(user, await hashPassword(password, randomBytes(SALT_BYTES)));
    } else {
      if (!known)
        throw new MqttStreamError('ACCESS_FILE_INVALID', [file, `there is no user "${user}" in it`]);
      users.delete(user);
    }
    await written(path, users.toString());
    const done = what === 'remove' ? 'removed' : known ? 'changed' : 'added';
    told(terminal, json, user, done);
    return OK;
  },
});

function told(terminal: Terminal, json: true | undefined, user: string, done: string): void {
  if (json) terminal.out(JSON.stringify({ user, done }));
  else terminal.err(`${user}: ${done}; a broker that runs reads the file again on SIGHUP`);
}

function needsUser(command: Command): void {
  const [what, , user] = command.args;
  if (what !== 'list' && user === undefined) command.error("error: missing required argument 'user'");
}

/** The place of the file itself, where its name is a link, and what it says; nothing if it may be new and is. */
async function opened(file: string, mayBeNew: boolean): Promise<{ path: string; users: PasswordFile }> {
  try {
    const path = await realpath(file);
    return { path, users: new PasswordFile(await readFile(path, 'utf8'), file) };
  } catch (cause) {
    if (cause instanceof MqttStreamError) throw cause;
    if (mayBeNew && (cause as NodeJS.ErrnoException).code === 'ENOENT') {
      return { path: file, users: new PasswordFile('', file) };
    }
    throw new MqttStreamError('ACCESS_FILE_UNREADABLE', [file, textOf(cause)], { cause });
  }
}

async function written(path: string, text: string): Promise<void> {
  try {
    await replacePrivately(path, text);
  } catch (cause) {
    throw new MqttStreamError('ACCESS_FILE_INVALID', [path, `it cannot be written: ${textOf(cause)}`], {
      cause,
    });
  }
}
