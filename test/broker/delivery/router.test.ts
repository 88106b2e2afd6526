import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPEN_ACCESS } from '../../../src/broker/access/access.js';
import { Router } from '../../../src/broker/delivery/router.js';
import type { Subscription } from '../../../src/broker/delivery/subscription.js';
import { TopicTable } from '../../../src/broker/delivery/topic-table.js';
import { Session } from '../../../src/broker/session.js';
import { BrokerStats } from '../../../src/broker/stats.js';
import { topicMatcher } from '../../../src/topics.js';
import { generator } from '../../catalog/generator.js';
import { LIMITS } from '../fixture.js';
import { nothingKept } from './kept.js';

const LEVELS = ['', 'a', 'b', 'c', '$SYS', '__proto__', 'constructor'];

function newSession(clientId: string): Session {
  return new Session(
    { clientId, user: null, address: null, local: true, inside: false },
    0,
    LIMITS,
    new BrokerStats(),
    nothingKept(),
    OPEN_ACCESS,
  );
}

function subscription(filter: string, options: Partial<Subscription> = {}): Subscription {
  return {
    filter,
    qos: 0,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
    identifier: undefined,
    ...options,
  };
}

function randomTopic(random: () => number): string {
  const depth = 1 + Math.floor(random() * 4);
  return Array.from({ length: depth }, () => LEVELS[Math.floor(random() * LEVELS.length)]).join('/');
}

function randomFilter(random: () => number): string {
  const levels = randomTopic(random).split('/');
  const filter = levels.map((level) => (random() < 0.3 ? '+' : level));
  if (random() < 0.3) filter.push('#');
  return filter.join('/');
}

/** What a session should get: its matching subscriptions made one. */
function merged(session: Session, mine: Map<string, Subscription>, topic: string): unknown {
  const matching = [...mine.values()].filter(({ filter }) => topicMatcher(filter)(topic));
  if (matching.length === 0) return null;
  return {
    clientId: session.clientId,
    qos: Math.max(...matching.map(({ qos }) => qos)),
    noLocal: matching.every(({ noLocal }) => noLocal),
    retainAsPublished: matching.some(({ retainAsPublished }) => retainAsPublished),
    identifiers: matching.flatMap(({ identifier }) => identifier ?? []).sort(),
  };
}

for (const seed of [1, 2, 3, 4]) {
  test(`subscribing, unsubscribing and routing at random agree with a model; seed ${seed}`, () => {
    const random = generator(seed);
    const router = new Router();
    const topics = new TopicTable(100);
    const sessions = Array.from({ length: 5 }, (_, i) => newSession(`c${i}`));
    const model = new Map(sessions.map((session) => [session, new Map<string, Subscription>()]));
    for (let step = 0; step < 4000; step++) {
      const session = sessions[Math.floor(random() * sessions.length)];
      const mine = model.get(session)!;
      const what = random();
      if (what < 0.25) {
        const added = subscription(randomFilter(random), {
          qos: Math.floor(random() * 3) as 0 | 1 | 2,
          noLocal: random() < 0.5,
          retainAsPublished: random() < 0.5,
          identifier: random() < 0.5 ? undefined : 1 + Math.floor(random() * 9),
        });
        router.add(session, added);
        mine.set(added.filter, added);
      } else if (what < 0.5) {
        const known = [...mine.keys()];
        const filter =
          known.length > 0 && random() < 0.8
            ? known[Math.floor(random() * known.length)]
            : randomFilter(random);
        router.remove(session, filter);
        mine.delete(filter);
      } else {
        const topic = randomTopic(random);
        const targets = router.route(topics.named(topic)).targets.map((target) => ({
          clientId: target.session.clientId,
          qos: target.qos,
          noLocal: target.noLocal,
          retainAsPublished: target.retainAsPublished,
          identifiers: [...(target.identifiers ?? [])].sort(),
        }));
        const expected = sessions
          .map((one) => merged(one, model.get(one)!, topic))
          .filter((one) => one !== null);
        assert.deepEqual(
          targets.sort((a, b) => (a.clientId < b.clientId ? -1 : 1)),
          expected,
          `topic ${JSON.stringify(topic)}`,
        );
      }
      const count = [...model.values()].reduce((sum, one) => sum + one.size, 0);
      assert.equal(router.subscriptionCount, count);
    }
    for (const [session, mine] of model) for (const filter of mine.keys()) router.remove(session, filter);
    assert.equal(router.subscriptionCount, 0);
    assert.ok(router.empty);
  });
}

test('functions are routed to as well, once for each filter', () => {
  const router = new Router();
  const topics = new TopicTable(100);
  const deliver = () => {};
  const other = () => {};
  router.addFunction('a/#', deliver);
  router.addFunction('a/+', deliver);
  router.addFunction('$SYS/#', other);
  assert.deepEqual(router.route(topics.named('a/b')).functions, [deliver, deliver]);
  assert.deepEqual(router.route(topics.named('$SYS/x')).functions, [other]);
  router.removeFunction('a/#', deliver);
  assert.deepEqual(router.route(topics.named('a/b')).functions, [deliver]);
  router.removeFunction('a/+', deliver);
  router.removeFunction('a/+', deliver);
  router.removeFunction('$SYS/#', other);
  assert.deepEqual(router.route(topics.named('a/b')).functions, []);
  assert.ok(router.empty);
});

test('a topic keeps its route until a subscription that matches it changes, however many others do', () => {
  const router = new Router();
  const topics = new TopicTable(100);
  const session = newSession('c');
  router.add(session, subscription('a/b'));
  const topic = topics.named('a/b');
  const route = router.route(topic);
  for (const filter of ['a', 'a/b/c', 'b/#', '+', '+/c', '$SYS/#']) {
    router.add(session, subscription(filter));
    assert.equal(router.route(topic), route, filter);
    router.remove(session, filter);
    assert.equal(router.route(topic), route, filter);
  }
  let last = route;
  for (const filter of ['#', 'a/#', '+/b', 'a/+', 'a/b']) {
    router.add(session, subscription(filter, { qos: 1 }));
    assert.notEqual(router.route(topic), last, filter);
    last = router.route(topic);
    assert.equal(router.route(topic), last);
  }
  router.remove(session, 'a/b');
  router.remove(session, '#');
  assert.notEqual(router.route(topic), last);
  // One change for it among more than are remembered.
  last = router.route(topic);
  router.remove(session, 'a/#');
  for (let i = 0; i < 100; i++) router.add(session, subscription(`other/${i}`));
  assert.notEqual(router.route(topic), last);
  last = router.route(topic);
  for (const filter of ['+/b', 'a/+']) router.remove(session, filter);
  assert.equal(router.route(topic).targets.length, 0);
});

test('a leading wildcard does not match what starts with $, others do', () => {
  const router = new Router();
  const filters = ['#', '+/x', '+/#', '$SYS/#', '$SYS/+', '$SYS/x'];
  for (const filter of filters) router.add(newSession(filter), subscription(filter));
  const matching = (topic: string) =>
    router
      .find(topic)
      .targets.map(({ session }) => session.clientId)
      .sort();
  assert.deepEqual(matching('$SYS/x'), ['$SYS/#', '$SYS/+', '$SYS/x']);
  assert.deepEqual(matching('a/x'), ['#', '+/#', '+/x']);
  assert.deepEqual(matching('$SYS'), ['$SYS/#']);
  assert.deepEqual(matching('/x'), ['#', '+/#', '+/x']);
});

test('taking away what is not there changes nothing', () => {
  const router = new Router();
  const topics = new TopicTable(100);
  const session = newSession('c');
  router.add(session, subscription('a/b/c'));
  for (const filter of ['a', 'a/b', 'a/b/c/d', 'x', '#', '']) router.remove(session, filter);
  router.remove(newSession('other'), 'a/b/c');
  assert.equal(router.subscriptionCount, 1);
  assert.equal(router.route(topics.named('a/b/c')).targets.length, 1);
});

test('a shared subscription is one of the route, which stays while its members change', () => {
  const router = new Router();
  const topics = new TopicTable(100);
  const [one, two] = [newSession('1'), newSession('2')];
  const topic = topics.named('a/b');
  assert.equal(router.route(topic).shares.length, 0);
  router.add(one, subscription('$share/g/a/+'));
  const route = router.route(topic);
  const [share] = route.shares;
  assert.equal(route.targets.length, 0);
  router.add(two, subscription('$share/g/a/+', { qos: 1 }));
  router.add(one, subscription('$share/g/a/+', { qos: 2 }));
  assert.equal(router.route(topic), route);
  assert.deepEqual(
    share.members.map(({ session, qos }) => [session.clientId, qos]),
    [
      ['1', 2],
      ['2', 1],
    ],
  );
  assert.deepEqual([router.sharedCount, router.subscriptionCount], [2, 2]);
  router.add(two, subscription('$share/h/a/+'));
  router.add(two, subscription('$share/g/#'));
  assert.equal(router.route(topic).shares.length, 3);
  assert.equal(router.find('$SYS/a').shares.length, 0);
  assert.equal(router.remove(one, '$share/g/a/+'), share);
  assert.equal(router.remove(one, '$share/g/a/+'), null);
  assert.equal(router.remove(one, '$share/x/a/+'), null);
  assert.equal(router.remove(one, '$share/g'), null);
  assert.equal(router.route(topic).shares.length, 3);
  for (const filter of ['$share/g/a/+', '$share/h/a/+', '$share/g/#']) router.remove(two, filter);
  assert.equal(router.route(topic).shares.length, 0);
  assert.equal(router.sharedCount, 0);
  assert.ok(router.empty);
});
