import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Bucket } from '../../src/bridge/bucket.js';
import { Follower } from '../../src/bridge/follower.js';
import { MissingMessages } from '../../src/bridge/missing.js';
import { Sender } from '../../src/bridge/sender.js';
import { BridgeStats } from '../../src/bridge/stats.js';
import type { StreamShape } from '../exchange/fixture.js';
import { corrupt, World } from '../query/world.js';
import { connack, FakeLink, FakeTime, MemoryLog, outgoingOf, rule } from './fixture.js';

async function rig({ shape = {} as StreamShape, inflight = 1000, filter = '#', position = 0 } = {}) {
  const world = await World.make({ messages: 64, bytes: 65_536, ...shape });
  const time = new FakeTime();
  const stats = new BridgeStats();
  const log = new MemoryLog();
  const saved: number[] = [];
  const sender = new Sender({ inflight, bucket: new Bucket(0, 0), time, stats, log });
  const follower = new Follower({
    stream: world.stream,
    sequence: world.parts,
    outgoing: outgoingOf([rule(filter)], stats, time),
    sender,
    position,
    save: async (key) => void saved.push(key),
    window: inflight,
    missing: new MissingMessages(stats, log),
    loaded: () => Promise.resolve(),
    now: () => world.lastKey + 2_000_000,
    time,
    log,
  });
  follower.start();
  const up = () => {
    const link = new FakeLink();
    sender.attach(link, connack());
    follower.up();
    return link;
  };
  const down = () => {
    sender.detach();
    follower.down();
  };
  /** As the exchange does it at the end of a turn. */
  const publish = (count: number, topic?: string) => {
    world.publishMany(count, topic);
    follower.captured();
    return world.lastKey;
  };
  /** Nothing more is acknowledged. */
  const end = async () => {
    const closing = follower.close();
    await rest();
    time.advance(1000);
    await closing;
    assert.deepEqual(time.due, []);
  };
  return { world, time, stats, log, saved, sender, follower, up, down, publish, end };
}

/** Whoever has something to do has done it. */
async function rest(): Promise<void> {
  for (let i = 0; i < 30; i++) await turn();
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

test('what waits in files, in flight and in the ring comes in order, and then what is captured', async () => {
  const { world, publish, up, stats, follower, end } = await rig();
  publish(20);
  world.commit();
  world.publishMany(20);
  world.take(10);
  const link = up();
  await rest();
  assert.deepEqual(link.payloads, [...numbers(20), ...numbers(20)]);
  publish(3);
  await rest();
  assert.deepEqual(link.payloads.slice(40), numbers(3));
  link.acknowledge();
  assert.equal(stats.sent, 43);
  assert.equal(follower.waiting, 0);
  assert.equal(follower.lagSeconds, 0);
  await end();
});

test('it begins behind the position', async () => {
  const world = await rig({ position: 1004 });
  world.publish(10);
  const link = world.up();
  await rest();
  assert.deepEqual(link.payloads, numbers(10).slice(5));
  await world.end();
});

test('after a lost connection it goes on behind the last acknowledged message', async () => {
  const { world, publish, up, down, end } = await rig();
  publish(10);
  const first = up();
  await rest();
  first.acknowledge(4);
  down();
  world.commit();
  publish(2);
  await rest();
  assert.equal(first.sent.length, 10);
  const second = up();
  await rest();
  assert.deepEqual(second.payloads, [...numbers(10).slice(4), '0', '1']);
  // Of the connection that is gone.
  first.acknowledge();
  await end();
});

test('no more than the window is sent beyond the saved position', async () => {
  const { publish, up, saved, end } = await rig({ inflight: 4 });
  const start = publish(12) - 11;
  const link = up();
  await rest();
  assert.equal(link.sent.length, 4);
  link.acknowledge(1);
  await rest();
  assert.equal(link.sent.length, 4, 'not before it is saved');
  link.acknowledge(1);
  await rest();
  assert.deepEqual(saved, [start + 1]);
  assert.equal(link.sent.length, 6);
  await end();
});

test('messages that match no rule move the position, too', async () => {
  const { publish, up, saved, time, world, end } = await rig({ filter: 'a/#' });
  publish(5, 'b/x');
  const link = up();
  await rest();
  assert.equal(link.sent.length, 0);
  time.advance(5000);
  await rest();
  assert.deepEqual(saved, [world.lastKey]);
  await end();
});

test('QoS 0 goes with QoS 1: what is not acknowledged would be lost', async () => {
  const { publish, up, end } = await rig();
  publish(1);
  const link = up();
  await rest();
  assert.equal(link.sent[0]!.qos, 1);
  await end();
});

test('what the ring dropped is told, and the rest goes on', async () => {
  const { publish, up, stats, log, world, end } = await rig({
    shape: { messages: 8, whenFull: 'drop-oldest' },
  });
  publish(20);
  assert.equal(world.stream.stats.dropped, 12);
  const link = up();
  await rest();
  assert.deepEqual(link.payloads, numbers(20).slice(12));
  assert.deepEqual([stats.gaps, stats.missed], [1, 12]);
  assert.equal(log.count('warn', /missing/), 1);
  assert.equal(log.lines[0]!.fields.reason, 'dropped');
  await end();
});

test('what is overwritten while it is being written is waited for', async () => {
  const { world, publish, up, stats, follower, end } = await rig({
    shape: { messages: 8, whenFull: 'drop-oldest' },
  });
  publish(8);
  world.take(8);
  const written = world.write();
  publish(6);
  const link = up();
  await rest();
  publish(2);
  await rest();
  assert.deepEqual(link.payloads, [], 'the first ones come with the file');
  written();
  follower.written();
  await rest();
  assert.deepEqual(link.payloads, [...numbers(8), ...numbers(6), ...numbers(2)]);
  assert.equal(stats.gaps, 0);
  await end();
});

test('files that retention took away before they were sent are a gap', async () => {
  const { world, publish, up, down, stats, log, follower, end } = await rig();
  publish(10);
  world.commit();
  const link = up();
  await rest();
  link.acknowledge(4);
  down();
  publish(10);
  world.commit();
  const files = world.catalog.files('vehicle');
  follower.retired(files);
  assert.deepEqual(
    log.lines.map(({ fields }) => fields),
    [
      { start: 1004, end: 1009, messages: 10, reason: 'retention' },
      { start: 1010, end: 1019, messages: 10, reason: 'retention' },
    ],
  );
  assert.equal(stats.gaps, 2);
  const again = up();
  await rest();
  again.acknowledge();
  follower.retired(files);
  assert.equal(stats.gaps, 2, 'all of them are sent');
  await end();
});

test('a file that retention takes away while it is read is a gap only if it is not read to its end', async () => {
  const { world, publish, up, down, log, follower, end } = await rig({ shape: { messages: 8 }, inflight: 4 });
  publish(8);
  world.commit();
  publish(8);
  const [file] = world.catalog.files('vehicle');
  const link = up();
  await rest();
  link.acknowledge(2);
  await rest();
  follower.retired([file!]);
  assert.equal(log.count('warn', /missing/), 0);
  down();
  const [line] = log.lines;
  assert.deepEqual(line?.fields, { start: 1002, end: 1007, messages: 8, reason: 'retention' });
  await end();
});

test('a file that turns out to be corrupt is a gap', async () => {
  const { world, publish, up, log, end } = await rig({ shape: { messages: 8 } });
  world.catalog.onDropped = ({ firstKey: start, lastKey: end, rows: messages }) =>
    world.stream.gaps.insert({ start, end, messages, reason: 'unreadable' });
  publish(8);
  world.commit();
  publish(8);
  const [file] = world.catalog.files('vehicle');
  world.batchRows = 3;
  world.faults.set(file!.path, { error: corrupt(file!.path), after: 4 });
  const link = up();
  await rest();
  assert.deepEqual(link.payloads, ['0', '1', '2', ...numbers(8)]);
  assert.deepEqual(log.lines[0]?.fields, { start: 1003, end: 1007, messages: 8, reason: 'unreadable' });
  await end();
});

test('a file that the system refuses is tried again, told once', async () => {
  const { world, publish, up, time, log, end } = await rig({ shape: { messages: 8 } });
  publish(5);
  world.commit();
  // The ring forgets them.
  publish(8);
  const [file] = world.catalog.files('vehicle');
  world.faults.set(file!.path, { error: corrupt(file!.path, 'EMFILE'), after: 2 });
  const link = up();
  await rest();
  time.advance(1000);
  await rest();
  assert.equal(log.count('error', /cannot read/), 1);
  world.faults.clear();
  time.advance(1000);
  await rest();
  assert.deepEqual([...new Set(link.payloads)], [...numbers(5), '5', '6', '7']);
  await end();
});

test('the lag is the age of the oldest message that is not acknowledged', async () => {
  const { world, publish, up, follower, end } = await rig();
  assert.equal(follower.lagSeconds, 0);
  publish(3);
  assert.equal(follower.lagSeconds, 2.000002);
  world.commit();
  assert.equal(follower.lagSeconds, 2.000002);
  const link = up();
  await rest();
  link.acknowledge(2);
  assert.equal(follower.lagSeconds, 2);
  link.acknowledge();
  assert.equal(follower.lagSeconds, 0);
  await end();
});

test('the end saves the position', async () => {
  const { publish, up, saved, end } = await rig();
  publish(3);
  const link = up();
  await rest();
  link.acknowledge(2);
  await end();
  assert.deepEqual(saved, [1001]);
});

test('whatever happens in between, everything comes at least once and in order', async () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed % below;
  };
  const { world, publish, up, down, time, follower, end } = await rig({
    inflight: 16,
    shape: { messages: 64 },
  });
  const sent: string[] = [];
  let link = up();
  let published = 0;
  const steps = [
    () => {
      for (let i = random(10); i > 0 && world.stream.ring.written - world.stream.ring.committed < 60; i--) {
        world.publish('t', `${published++}`);
      }
      follower.captured();
    },
    () => link.acknowledge(random(12)),
    () => world.take(random(20)),
    () => {
      world.commit();
      follower.written();
    },
    () => {
      sent.push(...link.payloads);
      down();
      link = up();
    },
    () => time.advance(random(1500)),
  ];
  for (let i = 0; i < 1500; i++) {
    steps[random(20) === 0 ? 4 : random(4)]!();
    if (random(6) === 0) steps[5]!();
    for (let turns = random(3); turns > 0; turns--) await turn();
  }
  for (let i = 0; i < 3000 && (follower.lagSeconds > 0 || follower.waiting > 0); i++) {
    link.acknowledge();
    time.advance(100);
    await turn();
  }
  sent.push(...link.payloads);
  assert.ok(published > 1000);
  assert.deepEqual([...new Set(sent)], numbers(published));
  await publish(0);
  await end();
});
