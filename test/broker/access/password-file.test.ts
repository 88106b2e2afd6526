import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PasswordFile } from '../../../src/broker/access/password-file.js';
import { passwordHashText } from '../../../src/broker/access/password-hash.js';
import { cheapHash } from './credentials.js';

const HASH = await cheapHash('x');
const TEXT = passwordHashText(HASH);

test('users, comments and empty lines; names may hold whatever a line may', () => {
  const names = ['ada', 'a:b', '__proto__', 'ü 1', ' x', 'a#', '+', '/'];
  const lines = ['# people', '', ...names.map((name) => `${name}:${TEXT}`), '   '];
  for (const end of ['\n', '\r\n']) {
    const { users } = new PasswordFile(lines.join(end) + end, 'f');
    assert.deepEqual([...users.keys()], names);
    assert.deepEqual(users.get('__proto__'), HASH);
  }
  assert.equal(new PasswordFile('', 'f').users.size, 0);
  assert.equal(new PasswordFile('# nobody\n', 'f').users.size, 0);
});

test('a line that is not understood is named', () => {
  for (const line of ['ada', 'ada:', 'ada:plain', `:${TEXT}`, TEXT, `ada:${TEXT}x`, `ada:x${TEXT}`, '\0']) {
    assert.throws(
      () => new PasswordFile(`# one\nbob:${TEXT}\n${line}\n`, 'users'),
      { code: 'ACCESS_FILE_INVALID', message: /users:3 cannot be used: expected user:\$scrypt/ },
      line,
    );
  }
  assert.throws(() => new PasswordFile(`ada:${TEXT}\n\nada:${TEXT}\n`, 'users'), {
    code: 'ACCESS_FILE_INVALID',
    message: /users:3 .*"ada" is there twice/,
  });
});

test('what is changed leaves the other lines as they are', async () => {
  const other = await cheapHash('other');
  const file = new PasswordFile(`# first\nada:${TEXT}\n\nbob:${TEXT}`, 'f');
  file.set('ada', other);
  file.set('eve', HASH);
  file.delete('bob');
  file.delete('nobody');
  assert.equal(file.toString(), `# first\nada:${passwordHashText(other)}\n\neve:${TEXT}\n`);
  assert.deepEqual([file.has('ada'), file.has('bob'), file.has('eve')], [true, false, true]);
  for (const name of ['', '#x', 'a\nb', 'a\rb', 'a\0b']) {
    assert.throws(() => file.set(name, HASH), { code: 'ACCESS_FILE_INVALID' }, JSON.stringify(name));
  }
});
