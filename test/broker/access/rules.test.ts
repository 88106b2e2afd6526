import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Identity } from '../../../src/broker/access/access.js';
import { ACTIONS, type Action, type WrittenRule } from '../../../src/broker/access/rule.js';
import { Rules } from '../../../src/broker/access/rules.js';
import { Random } from './random.js';

type Short = Partial<Omit<WrittenRule, 'topic' | 'action'>> & { topic: string; action?: Action[] };

const rule = ({ topic, ...more }: Short): WrittenRule => ({
  permit: 'allow',
  action: [...ACTIONS],
  place: 'here',
  ...more,
  topic: [topic],
});
const who = (more: Partial<Identity> = {}): Identity => ({
  clientId: 'c1',
  user: 'u1',
  address: '10.1.2.3',
  local: false,
  inside: false,
  ...more,
});

test('the first rule for the client, the action and the topic decides; where none does, what holds otherwise', () => {
  const written = [
    rule({ permit: 'deny', topic: 'vehicle/secret/#' }),
    rule({ topic: 'vehicle/#', user: 'u1' }),
    rule({ topic: 'own/#', clientId: 'c2', action: ['publish'] }),
    rule({ topic: 'near/#', address: '10.1.0.0/16', action: ['subscribe'] }),
  ];
  for (const otherwise of ['allow', 'deny'] as const) {
    const rules = new Rules(written, otherwise);
    const open = otherwise === 'allow';
    assert.equal(rules.allow(who(), 'publish', 'vehicle/secret/x'), false);
    assert.equal(rules.allow(who(), 'publish', 'vehicle/x'), true);
    assert.equal(rules.allow(who({ user: 'u2' }), 'publish', 'vehicle/x'), open);
    assert.equal(rules.allow(who({ user: null }), 'history', 'vehicle/x'), open);
    assert.equal(rules.allow(who({ clientId: 'c2' }), 'publish', 'own/x'), true);
    assert.equal(rules.allow(who({ clientId: 'c2' }), 'subscribe', 'own/x'), open);
    assert.equal(rules.allow(who(), 'subscribe', 'near/x'), true);
    assert.equal(rules.allow(who({ address: '::ffff:10.1.9.9' }), 'subscribe', 'near/x'), true);
    assert.equal(rules.allow(who({ address: '10.2.0.1' }), 'subscribe', 'near/x'), open);
    assert.equal(rules.allow(who({ address: null }), 'subscribe', 'near/x'), open);
    assert.equal(rules.allow(who(), 'publish', 'else'), open);
  }
});

test('a filter is allowed if one rule covers it; what is denied of it is kept back at delivery', () => {
  const deny = rule({ permit: 'deny', topic: 'a/secret' });
  const rules = new Rules([deny, rule({ topic: 'a/#' })], 'deny');
  assert.equal(rules.restrictDelivery, true);
  assert.equal(rules.allow(who(), 'subscribe', 'a/#'), true);
  assert.equal(rules.allow(who(), 'subscribe', 'a/+'), true);
  assert.equal(rules.allow(who(), 'subscribe', 'a/secret'), false);
  assert.equal(rules.allow(who(), 'subscribe', '#'), false);
  assert.equal(rules.allow(who(), 'subscribe', '+/b'), false);
  const withoutDeny = new Rules([rule({ topic: 'a/#' })], 'deny');
  assert.equal(withoutDeny.restrictDelivery, false);
  const ofPublish = new Rules([{ ...deny, action: ['publish'] }], 'allow');
  assert.equal(ofPublish.restrictDelivery, false);
});

test('history of a filter is for those only who may read, and subscribe to, all of it', () => {
  const all = rule({ topic: 'a/#' });
  for (const action of [['history'], ['subscribe']] as Action[][]) {
    const rules = new Rules([rule({ permit: 'deny', topic: 'a/+/secret', action }), all], 'deny');
    for (const filter of ['a/#', 'a/b/#', 'a/+/+', 'a/b/+', 'a/b/secret', '#', 'a/+/#']) {
      assert.equal(rules.allow(who(), 'history', filter), false, filter);
    }
    for (const filter of ['a', 'a/b', 'a/+', 'a/b/open', 'a/b/c/#', 'a/secret']) {
      assert.equal(rules.allow(who(), 'history', filter), true, filter);
    }
  }
  // What comes after the rule that allows denies nothing.
  const rules = new Rules([all, rule({ permit: 'deny', topic: 'a/secret' })], 'deny');
  assert.equal(rules.allow(who(), 'history', 'a/#'), true);
  assert.match(
    new Rules([rule({ permit: 'deny', topic: 'a/secret' }), all], 'deny').decide(who(), 'history', 'a/#').why,
    /^here: deny all on a\/secret/,
  );
});

test('the topics of the broker: everybody asks and reads, nobody publishes', () => {
  const rules = new Rules(
    [rule({ topic: '#' }), rule({ topic: '$SYS/#' }), rule({ topic: '$STREAM/#' })],
    'deny',
  );
  const none = new Rules([], 'deny');
  for (const one of [rules, none]) {
    for (const filter of ['$SYS/#', 'MQfile/r/#', 'ParquetFile/#', '$STREAM/result/x']) {
      assert.equal(one.allow(who(), 'subscribe', filter), true, filter);
    }
    assert.equal(one.allow(who(), 'publish', '$STREAM/search'), true);
    for (const user of ['u1', 'mqtt-stream-transfer']) {
      for (const topic of ['$SYS/x', '$SYS', 'MQfile/x', 'ParquetFile', '$STREAM/result/x', '$STREAM']) {
        assert.equal(one.allow(who({ user }), 'publish', topic), false, topic);
      }
    }
    assert.equal(one.allow(who(), 'publish', 'ParquetFile/x'), false);
  }
  // The transfer client needs a rule, as everybody.
  const transfer = who({ user: 'mqtt-stream-transfer' });
  assert.equal(none.allow(transfer, 'publish', 'ParquetFile/x'), false);
  assert.equal(rules.allow(transfer, 'publish', 'ParquetFile/x'), true);
  const denied = new Rules([rule({ permit: 'deny', topic: '$STREAM/replay' })], 'allow');
  assert.equal(denied.allow(who(), 'publish', '$STREAM/replay'), false);
  assert.equal(denied.allow(who(), 'publish', '$STREAM/search'), true);
});

const HOSTILE = [
  '+',
  '#',
  'a/b',
  'a+',
  '#/x',
  '/',
  '',
  'a\0b',
  '$SYS',
  '$STREAM',
  'MQfile',
  'ParquetFile',
  '$share',
];

test('a name that would reach further than its rule says does not fit into it', () => {
  const rules = new Rules([rule({ topic: '${username}/#' }), rule({ topic: '${clientId}/#' })], 'deny');
  const asked = [
    '#',
    '+/x',
    'x/y',
    'a/b',
    'a/b/c',
    '/x',
    'a/x',
    '$SYS/x',
    '$STREAM/x',
    'MQfile/x',
    '$share/x',
  ];
  for (const name of HOSTILE) {
    const client = who({ user: name, clientId: name });
    for (const filter of asked) {
      // Of the broker's topics everybody may read; history is of others.
      assert.equal(rules.allow(client, 'history', filter), false, JSON.stringify([name, filter]));
      if (!filter.startsWith('$STREAM')) assert.equal(rules.allow(client, 'publish', filter), false);
    }
  }
  for (const name of ['__proto__', 'constructor', 'u 1', 'ü', '$&', "$'", '${clientId}', 'a.*']) {
    const client = who({ user: name, clientId: name });
    assert.equal(rules.allow(client, 'publish', `${name}/x`), !name.startsWith('$'), name);
    assert.equal(rules.allow(client, 'publish', 'else/x'), false, name);
  }
});

test('names inside a level, and several in a topic', () => {
  const rules = new Rules([rule({ topic: 'dev-${clientId}/of/${username}/+' })], 'deny');
  assert.equal(rules.allow(who(), 'publish', 'dev-c1/of/u1/x'), true);
  assert.equal(rules.allow(who(), 'publish', 'dev-c1/of/u2/x'), false);
  assert.equal(rules.allow(who({ clientId: '$x' }), 'publish', 'dev-$x/of/u1/x'), true);
  assert.equal(rules.allow(who({ user: null }), 'publish', 'dev-c1/of//x'), false);
  assert.equal(rules.allow(who({ user: '+' }), 'publish', 'dev-c1/of/+/x'), false);
});

test('what is remembered and what is decided anew are the same, whatever is asked', () => {
  const random = new Random(7);
  const names = ['a', 'b', '__proto__', '+', '#', 'a/b', '$SYS', ''];
  const levels = ['a', 'b', '+', '$SYS', 'MQfile', '', '${username}', '${clientId}'];
  const filterOf = (more: readonly string[]) => {
    const some = Array.from({ length: 1 + random.below(3) }, () => random.of(more));
    return [...some, ...(random.below(3) === 0 ? ['#'] : [])].join('/') || 'a';
  };
  for (let round = 0; round < 200; round++) {
    const written = Array.from({ length: random.below(6) }, (_, i) =>
      rule({
        permit: random.of(['allow', 'deny']),
        action: ACTIONS.filter(() => random.below(2) === 0),
        topic: filterOf(levels),
        place: `${i}`,
        ...(random.below(3) === 0 ? { user: random.of(names) } : {}),
        ...(random.below(3) === 0 ? { clientId: random.of(names) } : {}),
        ...(random.below(4) === 0 ? { address: '10.0.0.0/8' } : {}),
      }),
    );
    const rules = new Rules(written, random.of(['allow', 'deny']));
    for (let asked = 0; asked < 50; asked++) {
      const client = who({ user: random.of([...names, null]), clientId: random.of(names) });
      const action = random.of(ACTIONS);
      const filter = filterOf(levels.slice(0, 6));
      const { allowed } = rules.decide(client, action, filter);
      assert.equal(rules.allow(client, action, filter), allowed);
      assert.equal(rules.allow(client, action, filter), allowed, 'again');
    }
  }
});

test('a client that asks for a million topics is remembered within bounds', () => {
  const rules = new Rules([rule({ topic: 'a/#' })], 'deny');
  const client = who();
  for (let i = 0; i < 5000; i++) assert.equal(rules.allow(client, 'publish', `a/${i}`), true);
  const long = `a/${'x'.repeat(60_000)}`;
  assert.equal(rules.allow(client, 'publish', long), true);
});

test('a decision says which rule it was, why, and what the others are for', () => {
  const rules = new Rules(
    [
      rule({ topic: 'a/#', user: 'else', place: 'acl.yaml:2' }),
      rule({ topic: 'a/#', address: '192.168.0.0/16', place: 'acl.yaml:3' }),
      rule({ topic: 'a/#', action: ['publish'], place: 'acl.yaml:4' }),
      rule({ topic: '${username}/#', place: 'acl.yaml:5' }),
      rule({ permit: 'deny', topic: 'a/secret', place: 'acl.yaml:6' }),
      rule({ topic: 'a/b', place: 'acl.yaml:7' }),
      rule({ topic: 'a/+', action: ['subscribe'], place: 'acl.yaml:8' }),
    ],
    'deny',
  );
  const { allowed, why, passed } = rules.decide(who({ user: '#' }), 'subscribe', 'a/+');
  assert.equal(allowed, true);
  assert.equal(why, 'acl.yaml:8: allow subscribe on a/+ for everybody');
  assert.deepEqual(passed, [
    'acl.yaml:2: allow all on a/# for user else: is for user else',
    'acl.yaml:3: allow all on a/# for address 192.168.0.0/16: is for address 192.168.0.0/16',
    'acl.yaml:4: allow publish on a/# for everybody: is for publish',
    'acl.yaml:5: allow all on ${username}/# for everybody: the names of this client do not fit into its topic',
    'acl.yaml:6: deny all on a/secret for everybody: is for a part of the filter: messages of that part are not delivered',
    'acl.yaml:7: allow all on a/b for everybody: is for a part of the filter only',
  ]);
  const none = rules.decide(who(), 'history', 'z');
  assert.deepEqual([none.allowed, none.rule], [false, null]);
  assert.match(none.why, /^no rule is for it/);
  assert.match(rules.decide(who(), 'publish', '$SYS/x').why, /reserved for the broker/);
});
