/** Verbs that connect: over TLS, with a certificate or a password. */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Authority } from '../certificates.js';
import { startBroker } from '../transfer/fixture.js';
import { configFile, Program, run, tempFolder } from './program.js';

async function secured(t: TestContext) {
  const folder = await tempFolder(t);
  const authority = await Authority.create(folder);
  const server = await authority.server();
  const client = await authority.issue('client');
  const tls = { ...server, ca: authority.ca, requireClientCert: true };
  const listeners = ['tls', 'wss'].map((protocol) => ({ protocol, port: 0, tls }));
  const program = new Program(t, ['start', '--config', await configFile(folder, { listeners })]);
  await program.says(/^ready$/);
  const url = async (scheme: string) =>
    (await program.says(new RegExp(`^listening on ${scheme}:`))).split(' ').at(-1)!;
  const show = ['--cert', client.certificate, '--key', client.key];
  return {
    folder,
    program,
    server,
    client,
    show,
    ca: ['--ca', authority.ca],
    mqtts: await url('mqtts'),
    wss: await url('wss'),
  };
}

test('requests over mqtts and wss, with a certificate', async (t) => {
  const { mqtts, wss, ca, show } = await secured(t);
  const files = (url: string, ...more: string[]) =>
    run('files', '--url', url, '--stream', 'vehicle', ...more);
  for (const url of [mqtts, wss]) {
    assert.deepEqual((await files(url, ...ca, ...show)).err, ['no files']);
    const strange = await files(url, ...show);
    assert.equal(strange.code, 1);
    assert.match(strange.err[0]!, /^BROKER_UNREACHABLE: .*certificate/);
    assert.equal((await files(url, ...show, '--insecure')).code, 0);
    const nobody = await files(url, ...ca);
    assert.match(nobody.err[0]!, /^BROKER_UNREACHABLE: /);
  }
  assert.match(
    (await files(mqtts.replace('127.0.0.1', '127.0.0.2'), ...ca, ...show)).err[0]!,
    /BROKER_UNREACHABLE/,
  );
});

test('the transfer client by itself, and a receiver, over TLS', async (t) => {
  const { folder, mqtts, wss, ca, show } = await secured(t);
  const transfer = new Program(t, ['transfer', '--url', wss, ...ca, ...show]);
  await transfer.says(/^ready/);
  const receive = new Program(t, [
    'receive',
    '--url',
    mqtts,
    ...ca,
    ...show,
    '--dir',
    join(folder, 'received'),
  ]);
  await receive.says(/^ready/, 'stderr');
  for (const program of [transfer, receive]) {
    program.child.kill('SIGTERM');
    assert.equal(await program.exit(), 0);
  }
});

test('SIGHUP reads certificates again, or says which file is of no use', async (t) => {
  const { program, server, mqtts, ca, show } = await secured(t);
  program.child.kill('SIGHUP');
  await program.says(/SIGHUP: reloaded reloaded=.*mqtts:.*wss:/, 'stderr');
  await rm(server.key);
  program.child.kill('SIGHUP');
  await program.says(/ERROR SIGHUP: nothing was reloaded.*CREDENTIALS_UNREADABLE.*server\.key/, 'stderr');
  assert.equal((await run('files', '--url', mqtts, '--stream', 'vehicle', ...ca, ...show)).code, 0);
});

test('files that cannot be used', async (t) => {
  const folder = await tempFolder(t);
  const empty = join(folder, 'empty');
  await writeFile(empty, 'nonsense');
  const cases: [args: string[], code: RegExp][] = [
    [['--ca', join(folder, 'none')], /^CREDENTIALS_UNREADABLE: cannot read .*none/],
    [['--cert', empty, '--key', empty], /^CREDENTIALS_INVALID: .*empty/],
    [['--cert', empty], /^CREDENTIALS_INVALID: .*--cert and --key belong together/],
    [['--password-file', join(folder, 'none')], /^CREDENTIALS_UNREADABLE/],
  ];
  for (const [args, text] of cases) {
    const { code, err } = await run('files', '--stream', 'vehicle', ...args);
    assert.equal(code, 1);
    assert.match(err[0]!, text);
  }
  const both = await run('files', '--stream', 'vehicle', '--password', 'x', '--password-file', empty);
  assert.equal(both.code, 2);
});

test('user name and password: of the URL, or of options', async (t) => {
  const folder = await tempFolder(t);
  const file = join(folder, 'password');
  await writeFile(file, 'from file\nsecond line\n');
  const seen: string[] = [];
  const { port } = await startBroker(t, {
    authenticate: (_client, username, password, done) => {
      seen.push(`${username}:${password}`);
      done(null, false);
    },
  });
  const cases: [userinfo: string, args: string[]][] = [
    ['u:p@', []],
    ['u:p@', ['--username', 'other', '--password', 'word']],
    ['', ['--username', 'other', '--password-file', file]],
  ];
  for (const [userinfo, args] of cases) {
    const { err } = await run(
      'files',
      '--stream',
      's',
      '--url',
      `mqtt://${userinfo}127.0.0.1:${port}`,
      ...args,
    );
    assert.match(err[0]!, /^BROKER_UNREACHABLE/);
  }
  assert.deepEqual(seen, ['u:p', 'other:word', 'other:from file']);
});
