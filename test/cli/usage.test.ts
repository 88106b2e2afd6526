import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VERSION } from '../../src/version.js';
import { run } from './program.js';

const VERBS = [
  'start',
  'check',
  'flush',
  'status',
  'search',
  'replay',
  'files',
  'transfer',
  'receive',
  'decrypt',
  'recover',
  'demo',
  'passwd',
  'acl',
];

test('--help lists every verb, --version prints the version', async () => {
  const help = await run('--help');
  assert.equal(help.code, 0);
  for (const verb of VERBS) assert.match(help.text, new RegExp(`^  ${verb} `, 'm'), verb);
  assert.deepEqual(await run('--version'), { code: 0, out: [VERSION], err: [], text: `${VERSION}\n` });
});

for (const verb of VERBS) {
  test(`${verb} --help has options and examples`, async () => {
    const { code, text, err } = await run(verb, '--help');
    assert.equal(code, 0);
    assert.match(text, new RegExp(`^Usage: mqtt-stream ${verb} `));
    assert.match(text, /^ {2}--json /m);
    assert.match(text, new RegExp(`^Examples:\\n {2}\\$ mqtt-stream ${verb}`, 'm'));
    assert.deepEqual(err, []);
  });
}

const WRONG: readonly [name: string, args: readonly string[], says: RegExp][] = [
  ['no verb', [], /Usage/],
  ['an unknown verb', ['serach'], /unknown command 'serach'\n\(Did you mean search\?\)/],
  ['an unknown option', ['start', '--confg', 'x'], /unknown option '--confg'/],
  ['an argument too many', ['start', 'config.yaml'], /too many arguments/],
  ['no stream', ['replay'], /required option '--stream <name>'/],
  ['no folder', ['receive'], /required option '--dir <folder>'/],
  ['a limit of 0', ['search', '--stream', 'a', '--limit', '0'], /'0' is invalid.*at least 1/],
  ['a negative rate', ['replay', '--stream', 'a', '--rate', '-1'], /'-1' is invalid/],
  ['a rate that is no number', ['replay', '--stream', 'a', '--rate', 'fast'], /'fast' is invalid/],
  ['a bad id', ['files', '--stream', 'a', '--id', 'a/b'], /'a\/b' is invalid/],
  ['nothing to decrypt', ['decrypt'], /missing required argument 'file'/],
  ['nobody to add', ['passwd', 'add', 'users'], /missing required argument 'user'/],
  ['nothing that passwd does', ['passwd', 'change', 'users', 'ada'], /'change' is invalid/],
  ['a topic that is none', ['acl', 'test', 'ada', 'publish', 'a/#'], /no wildcard/],
  ['a filter that is none', ['acl', 'test', 'ada', 'subscribe', 'a#'], /stands alone/],
  ['an option without its value', ['start', '--config'], /argument missing/],
];

for (const [name, args, says] of WRONG) {
  test(`${name}: exit code 2, and what is wrong on standard error`, async () => {
    const { code, out, err } = await run(...args);
    assert.equal(code, 2);
    assert.match(err.join('\n'), says);
    assert.deepEqual(out, []);
  });
}
