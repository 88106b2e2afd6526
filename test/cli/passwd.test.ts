import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PasswordFile } from '../../src/broker/access/password-file.js';
import { isPassword } from '../../src/broker/access/password-hash.js';
import { run, tempFolder } from './program.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

/** A process, for the sake of its standard input. */
async function passwd(input: string, ...args: string[]): Promise<{ code: number; err: string }> {
  const child = spawn(process.execPath, [MAIN, 'passwd', ...args], { stdio: ['pipe', 'ignore', 'pipe'] });
  let err = '';
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk;
  });
  // It may end before it has read anything.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  return { code: code as number, err };
}

async function isRight(file: string, user: string, password: string): Promise<boolean> {
  const { users } = new PasswordFile(await readFile(file, 'utf8'), file);
  return isPassword(Buffer.from(password), users.get(user)!);
}

test('adds, changes, lists and removes users; the file is for its owner only', async (t) => {
  const folder = await tempFolder(t);
  const file = join(folder, 'users');
  const added = await passwd('one\nrest is not read\n', 'add', file, 'ada');
  assert.deepEqual([added.code, /ada: added/.test(added.err)], [0, true]);
  assert.doesNotMatch(await readFile(file, 'utf8'), /one/);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.equal((await passwd('zwö', 'add', file, 'a:b')).code, 0);
  assert.ok(await isRight(file, 'ada', 'one'));
  assert.ok(await isRight(file, 'a:b', 'zwö'));

  await chmod(file, 0o644);
  assert.match((await passwd('three\n', 'add', file, 'ada')).err, /ada: changed/);
  assert.ok(await isRight(file, 'ada', 'three'));
  assert.equal((await stat(file)).mode & 0o777, 0o600);

  assert.deepEqual((await run('passwd', 'list', file)).out, ['ada', 'a:b']);
  assert.deepEqual((await run('passwd', 'list', file, '--json')).out, ['{"user":"ada"}', '{"user":"a:b"}']);
  assert.deepEqual((await run('passwd', 'remove', file, 'ada', '--json')).out, [
    '{"user":"ada","done":"removed"}',
  ]);
  assert.deepEqual((await run('passwd', 'list', file)).out, ['a:b']);
  assert.deepEqual(await readdir(folder), ['users']);
});

test('a link stays one, comments stay', async (t) => {
  const folder = await tempFolder(t);
  const file = join(folder, 'users');
  const link = join(folder, 'link');
  await writeFile(file, '# people\n');
  await symlink(file, link);
  assert.equal((await passwd('one', 'add', link, 'ada')).code, 0);
  assert.match(await readFile(file, 'utf8'), /^# people\nada:\$scrypt\$/);
  assert.equal(await readFile(link, 'utf8'), await readFile(file, 'utf8'));
});

test('whatever is wrong leaves the file as it was', async (t) => {
  const folder = await tempFolder(t);
  const file = join(folder, 'users');
  const missing = await run('passwd', 'list', file);
  assert.deepEqual([missing.code, missing.err[0].startsWith('ACCESS_FILE_UNREADABLE')], [2, true]);
  assert.equal((await run('passwd', 'remove', file, 'ada')).code, 2);
  await writeFile(file, 'ada:plain\n');
  const malformed = await passwd('one', 'add', file, 'bob');
  assert.equal(malformed.code, 2);
  assert.match(malformed.err, /ACCESS_FILE_INVALID: .*users:1 /);
  assert.equal(await readFile(file, 'utf8'), 'ada:plain\n');
  const good = join(folder, 'good');
  for (const input of ['', '\n', '\nnot the first line']) {
    const { code, err } = await passwd(input, 'add', good, 'ada');
    assert.deepEqual([code, /PASSWORD_UNUSABLE/.test(err)], [1, true], JSON.stringify(input));
  }
  assert.equal((await passwd('one', 'add', good, '#ada')).code, 2);
  assert.equal((await passwd('one', 'add', join(folder, 'no', 'users'), 'ada')).code, 2);
  assert.deepEqual(await readdir(folder), ['users']);
  assert.equal((await passwd('one', 'add', good, 'ada')).code, 0);
  const unknown = await run('passwd', 'remove', good, 'bob');
  assert.deepEqual(
    [unknown.code, unknown.err.join('')],
    [2, `ACCESS_FILE_INVALID: the access file ${good} cannot be used: there is no user "bob" in it`],
  );
});
