import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { TopicTable } from '../../../src/broker/delivery/topic-table.js';
import { BrokerStats } from '../../../src/broker/stats.js';
import { LatestValues } from '../../../src/broker/sys/latest.js';
import { SysTree } from '../../../src/broker/sys/tree.js';

/** A tree over figures that a test sets. */
class Rig {
  readonly stats = new BrokerStats();
  readonly sessions: {
    outbox: object | null;
    lasting: boolean;
    backlog: { messages: number; bytes: number };
  }[] = [];
  now = 1000;
  heap = 5000;
  clock = 'trusted';
  retained = { count: 0, bytes: 0 };
  readonly #told: string[] = [];
  readonly values = new LatestValues(new TopicTable(10), ({ topic, payload }) =>
    this.#told.push(`${topic} ${payload}`),
  );
  readonly tree: SysTree;

  constructor(interval = 10_000) {
    const { sessions } = this;
    const rig = this;
    this.tree = new SysTree({
      version: '1.2.3',
      interval,
      more: () => [['clock/state', this.clock]],
      values: this.values,
      now: () => this.now,
      stats: this.stats,
      sessions: {
        all: () => sessions.values(),
        get count() {
          return sessions.length;
        },
      } as never,
      router: { subscriptionCount: 4, sharedCount: 1 } as never,
      get retained() {
        return rig.retained as never;
      },
      heapBytes: () => this.heap,
    });
  }

  /** What was told since the last time, without the root. */
  told(): string[] {
    return this.#told.splice(0).map((line) => line.replace(/^\$SYS\/broker\//, ''));
  }

  update(): string[] {
    this.now += 10_000;
    this.tree.publish();
    return this.told();
  }
}

const LOADS = [
  'messages/received',
  'messages/sent',
  'publish/dropped',
  'publish/received',
  'publish/sent',
  'bytes/received',
  'bytes/sent',
  'sockets',
  'connections',
];

test('at the start everything that mosquitto tells', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const rig = new Rig();
  rig.tree.start();
  const told = rig.told();
  const loads = LOADS.flatMap((load) =>
    ['1min', '5min', '15min'].map((period) => `load/${load}/${period} 0.00`),
  );
  assert.deepEqual(
    told.sort(),
    [
      'version mqtt-stream version 1.2.3',
      'uptime 0 seconds',
      'clock/state trusted',
      ...['total', 'inactive', 'disconnected', 'active', 'connected', 'maximum', 'expired'].map(
        (name) => `clients/${name} 0`,
      ),
      ...['stored', 'received', 'sent'].map((name) => `messages/${name} 0`),
      'store/messages/count 0',
      'store/messages/bytes 0',
      'subscriptions/count 4',
      'shared_subscriptions/count 1',
      'retained messages/count 0',
      'heap/current 5000',
      'heap/maximum 5000',
      ...['messages/dropped', 'messages/received', 'messages/sent', 'bytes/received', 'bytes/sent'].map(
        (name) => `publish/${name} 0`,
      ),
      'bytes/received 0',
      'bytes/sent 0',
      ...loads,
    ].sort(),
  );
});

test('docs/monitoring.md names every topic', async () => {
  const docs = await readFile(new URL('../../../../docs/monitoring.md', import.meta.url), 'utf8');
  const rig = new Rig();
  rig.tree.start();
  rig.tree.stop();
  const topics = rig.told().map((line) => line.replace(/ [^ ]+$/, ''));
  for (const topic of topics.filter((one) => !/^(uptime|version) /.test(one))) {
    const loads = topic.replace(/\/[0-9]+min$/, '/...');
    assert.ok(docs.includes(`\`${topic}\``) || docs.includes(`\`${loads}\``), topic);
  }
});

test('every interval what has changed; nothing after the stop', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const rig = new Rig();
  rig.tree.start();
  rig.told();
  rig.now += 10_000;
  t.mock.timers.tick(9999);
  assert.deepEqual(rig.told(), []);
  t.mock.timers.tick(1);
  assert.deepEqual(rig.told(), ['uptime 10 seconds']);
  rig.tree.stop();
  t.mock.timers.tick(100_000);
  assert.deepEqual(rig.told(), []);
});

test('an interval of 0: nothing at all', () => {
  const rig = new Rig(0);
  rig.tree.start();
  rig.tree.stop();
  assert.deepEqual(rig.told(), []);
  assert.deepEqual([...rig.values.matching('$SYS/#')], []);
});

test('figures: clients and what is kept for them', () => {
  const rig = new Rig();
  rig.update();
  const backlog = { messages: 3, bytes: 30 };
  rig.retained = { count: 10, bytes: 1000 };
  rig.sessions.push(
    { outbox: null, lasting: true, backlog },
    { outbox: { waitingMessages: 3, waitingBytes: 30 }, lasting: true, backlog },
    { outbox: { waitingMessages: 5, waitingBytes: 50 }, lasting: false, backlog: { messages: 0, bytes: 0 } },
  );
  assert.deepEqual(rig.update(), [
    'uptime 20 seconds',
    'clients/total 3',
    'clients/inactive 1',
    'clients/disconnected 1',
    'clients/active 2',
    'clients/connected 2',
    'messages/stored 21',
    'store/messages/count 21',
    'store/messages/bytes 1110',
    'retained messages/count 10',
    'clients/maximum 3',
  ]);
  rig.sessions.length = 1;
  rig.heap = 4000;
  const told = rig.update();
  assert.ok(told.includes('clients/total 1') && told.includes('heap/current 4000'));
  assert.ok(!told.some((line) => line.includes('maximum')), 'the greatest stays');
});

test('figures: counters and their loads', () => {
  const rig = new Rig();
  rig.update();
  Object.assign(rig.stats, {
    packetsReceived: 10,
    packetsSent: 20,
    received: 30,
    sent: 40,
    dropped: 50,
    bytesReceived: 60,
    bytesSent: 70,
    wireBytesReceived: 80,
    wireBytesSent: 90,
    accepted: 100,
    connects: 110,
    expired: 7,
  });
  const told = rig.update();
  for (const line of [
    'clients/expired 7',
    'messages/received 10',
    'messages/sent 20',
    'publish/messages/received 30',
    'publish/messages/sent 40',
    'publish/messages/dropped 50',
    'publish/bytes/received 60',
    'publish/bytes/sent 70',
    'bytes/received 80',
    'bytes/sent 90',
    // Of 6 times as much a minute 15.35 % in ten seconds.
    'load/messages/received/1min 9.21',
    'load/messages/sent/1min 18.42',
    'load/publish/received/1min 27.63',
    'load/publish/sent/1min 36.84',
    'load/publish/dropped/1min 46.06',
    'load/bytes/received/1min 73.69',
    'load/bytes/sent/1min 82.90',
    'load/sockets/1min 92.11',
    'load/connections/1min 101.32',
    'load/connections/15min 7.29',
  ])
    assert.ok(told.includes(line), `${line} in ${told.join(', ')}`);
});
