import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate } from '../../../src/broker/access/gate.js';
import { PasswordAuthenticator } from '../../../src/broker/access/password.js';
import {
  hashPassword,
  isPassword,
  parsePasswordHash,
  passwordHashText,
} from '../../../src/broker/access/password-hash.js';
import { cheapHash, credentials } from './credentials.js';

test('a hash is itself again, knows its password and no other', async () => {
  const hash = await hashPassword(Buffer.from('right'), Buffer.alloc(16, 7));
  const text = passwordHashText(hash);
  assert.match(text, /^\$scrypt\$ln=15,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.deepEqual(parsePasswordHash(text), hash);
  assert.equal(await isPassword(Buffer.from('right'), hash), true);
  for (const wrong of ['Right', 'right ', '', 'rightx']) {
    assert.equal(await isPassword(Buffer.from(wrong), hash), false);
  }
});

test('what is no hash, or one that would take all the memory, is none', async () => {
  const text = passwordHashText(await cheapHash('x'));
  assert.notEqual(parsePasswordHash(text), null);
  const bad = [
    '',
    'plain',
    text.slice(0, -1),
    `${text}=`,
    text.replace('scrypt', 'bcrypt'),
    text.replace('ln=10', 'ln=9'),
    text.replace('ln=10', 'ln=24'),
    text.replace('ln=10', 'ln=99'),
    text.replace('r=1', 'r=0'),
    text.replace('p=1', 'p=0'),
    text.replace('p=1', 'p=-1'),
  ];
  for (const one of bad) assert.equal(parsePasswordHash(one), null, one);
});

test('right, wrong, and nothing that it knows', async () => {
  const users = new Map([
    ['ada', await cheapHash('one')],
    ['__proto__', await cheapHash('two')],
  ]);
  const link = new PasswordAuthenticator(users, new Gate(1, 10));
  const ask = (user: string | null, password: string | null) =>
    link.authenticate(credentials({ user, password }));
  for (let again = 0; again < 2; again++) {
    assert.deepEqual(await ask('ada', 'one'), { allowed: true, user: 'ada' });
    assert.deepEqual(await ask('ada', 'two'), { allowed: false, reason: 0x86 });
    assert.deepEqual(await ask('ada', ''), { allowed: false, reason: 0x86 });
    assert.deepEqual(await ask('__proto__', 'two'), { allowed: true, user: '__proto__' });
    assert.deepEqual(await ask('__proto__', 'one'), { allowed: false, reason: 0x86 });
    for (const user of ['nobody', 'constructor', 'toString', '', 'ada\0']) {
      assert.equal(await ask(user, 'one'), null, user);
    }
    assert.equal(await ask(null, 'one'), null);
    assert.equal(await ask('ada', null), null);
  }
});

/** Counts what goes through it. */
class CountingGate extends Gate {
  count = 0;
  full = false;

  override async run<T>(work: () => Promise<T>): Promise<T | null> {
    this.count++;
    return this.full ? null : super.run(work);
  }
}

test('one that is not there costs a hash as a wrong password does; one that was right a moment ago costs none', async () => {
  const gate = new CountingGate(1, 10);
  const link = new PasswordAuthenticator(new Map([['ada', await cheapHash('one')]]), gate);
  const cost = async (user: string, password: string) => {
    gate.count = 0;
    await link.authenticate(credentials({ user, password }));
    return gate.count;
  };
  assert.equal(await cost('nobody', 'one'), 1);
  assert.equal(await cost('ada', 'wrong'), 1);
  assert.equal(await cost('ada', 'one'), 1);
  assert.equal(await cost('ada', 'one'), 0);
  assert.equal(await cost('ada', 'wrong'), 1);
  assert.equal(await cost('nobody', 'one'), 1);
  gate.full = true;
  const unavailable = { allowed: false, reason: 0x88 };
  assert.deepEqual(await link.authenticate(credentials({ user: 'ada', password: 'x' })), unavailable);
  assert.deepEqual(await link.authenticate(credentials({ user: 'nobody', password: 'x' })), unavailable);
  assert.deepEqual(await link.authenticate(credentials({ user: 'ada', password: 'one' })), {
    allowed: true,
    user: 'ada',
  });
});

test('a gate lets so many in, so many wait in order, and turns the others away', async () => {
  const gate = new Gate(2, 2);
  const log: string[] = [];
  const ends = new Map<string, () => void>();
  const enter = (name: string) =>
    gate.run(async () => {
      log.push(name);
      await new Promise<void>((resolve) => ends.set(name, resolve));
      return name;
    });
  const runs = ['a', 'b', 'c', 'd'].map(enter);
  assert.equal(await enter('e'), null);
  assert.deepEqual(log, ['a', 'b']);
  ends.get('a')!();
  assert.equal(await runs[0], 'a');
  await new Promise(setImmediate);
  assert.deepEqual(log, ['a', 'b', 'c']);
  ends.get('c')!();
  ends.get('b')!();
  await Promise.all([runs[1], runs[2]]);
  ends.get('d')!();
  assert.equal(await runs[3], 'd');
  await assert.rejects(
    gate.run(() => Promise.reject(new Error('x'))),
    /x/,
  );
  assert.equal(await gate.run(async () => 'free again'), 'free again');
});
