import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRules } from '../../src/config/acl.js';
import { parseConfig } from '../../src/config/schema.js';
import { problemsOf } from './problems.js';

test('one or several actions and topics, and all', () => {
  const rules = [
    { permit: 'allow', action: 'publish', topic: 'a' },
    {
      permit: 'deny',
      action: ['subscribe', 'publish', 'publish'],
      topic: ['a', 'b/#'],
      user: 'u',
      clientId: 'c',
    },
    { permit: 'allow', action: 'all', topic: '$SYS/#', address: 'fd00::/8' },
    { permit: 'allow', action: ['history', 'all'], topic: '${username}/x-${clientId}/+' },
  ] as const;
  const parsed = parseConfig({ acl: { rules: rules as never } });
  assert.deepEqual(parsed.acl.rules, [
    { permit: 'allow', action: ['publish'], topic: ['a'] },
    { permit: 'deny', action: ['publish', 'subscribe'], topic: ['a', 'b/#'], user: 'u', clientId: 'c' },
    { permit: 'allow', action: ['publish', 'subscribe', 'history'], topic: ['$SYS/#'], address: 'fd00::/8' },
    { permit: 'allow', action: ['publish', 'subscribe', 'history'], topic: ['${username}/x-${clientId}/+'] },
  ]);
  assert.deepEqual(parseConfig(parsed), parsed);
});

test('a file or rules, not both', async () => {
  const rule = { permit: 'allow', action: 'all', topic: 'a' } as const;
  assert.deepEqual(await problemsOf(() => parseConfig({ acl: { file: 'x', rules: [rule] } })), [
    'config: acl.rules: there is a file for them; keep one of both',
  ]);
});

test('rules of a file know where they are written', () => {
  const text =
    '# who\nrules:\n  - permit: allow\n    action: all\n    topic: a\n  - { permit: deny, action: all, topic: b }\n';
  assert.deepEqual(
    parseRules(text, 'acl.yaml').map(({ topic, place }) => [topic, place]),
    [
      [['a'], 'acl.yaml:3'],
      [['b'], 'acl.yaml:6'],
    ],
  );
});

test('whatever a file holds instead of rules is refused', () => {
  for (const text of [
    '',
    '[]',
    'x',
    'rules:',
    'rules: {}',
    'rules: [1]',
    'rules: [[]]',
    'rule: []',
    'rules: [{}]',
    '\0',
    '{',
  ]) {
    assert.throws(
      () => parseRules(text, 'f'),
      { code: 'CONFIG_INVALID', message: /^f:1: / },
      JSON.stringify(text),
    );
  }
});
