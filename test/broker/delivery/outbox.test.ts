import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AedesClient } from '../../../src/broker/aedes-internals.js';
import { Backlog } from '../../../src/broker/delivery/backlog.js';
import type { OutboxLimits } from '../../../src/broker/delivery/bounds.js';
import { PUBACK, PUBCOMP, PUBREC } from '../../../src/broker/delivery/inflight.js';
import { type Frame, Message } from '../../../src/broker/delivery/message.js';
import { Outbox } from '../../../src/broker/delivery/outbox.js';
import type { Output } from '../../../src/broker/delivery/output.js';
import { TopicTable } from '../../../src/broker/delivery/topic-table.js';
import { variantOf } from '../../../src/broker/delivery/variant.js';
import { BrokerStats } from '../../../src/broker/stats.js';
import { generator } from '../../catalog/generator.js';
import { LIMITS } from '../fixture.js';
import { FakeKept } from './kept.js';

/** A client whose socket takes what it is told to take. */
class FakeClient {
  readonly version = 4;
  readonly clean = false;
  closed = false;
  receiveMaximum = 65_535;
  readonly maximumPacketSize = undefined;
  /** Identifiers of the messages written, 0 for QoS 0. */
  readonly written: number[] = [];
  readonly disconnects: number[] = [];
  readonly #listeners = new Map<string, () => void>();
  readonly conn = {
    writableHighWaterMark: 16_384,
    on: (event: string, listener: () => void) => this.#listeners.set(event, listener),
    once: (event: string, listener: () => void) => this.#listeners.set(event, listener),
  };
  readonly output = {
    pendingBytes: 0,
    publish: () => this.written.push(0),
    publishAs: (_frame: unknown, id: number) => this.written.push(id),
    acknowledge: (_first: number, id: number) => this.written.push(id),
  };

  outbox(backlog: Backlog, limits: OutboxLimits, stats: BrokerStats): Outbox {
    const output = this.output as unknown as Output;
    return new Outbox(this as unknown as AedesClient, output, backlog, limits, stats);
  }

  emit(event: string): void {
    this.#listeners.get(event)!();
  }

  disconnect({ reasonCode }: { reasonCode: number }): void {
    this.disconnects.push(reasonCode);
  }
}

function setUp(limits: Partial<OutboxLimits> = {}) {
  const client = new FakeClient();
  const stats = new BrokerStats();
  const all = { ...LIMITS, ...limits };
  const kept = new FakeKept();
  const backlog = new Backlog(all, stats, kept);
  const outbox = client.outbox(backlog, all, stats);
  const topic = new TopicTable(10).named('a');
  let key = 0;
  const deliver = (qos: 0 | 1 | 2, keep = false, bytes = 10) => {
    const payload = Buffer.alloc(bytes);
    const packet = { cmd: 'publish', topic: 'a', payload, qos, retain: false, dup: false } as const;
    return outbox.deliver(Message.of(topic, packet, 0), variantOf(false, qos, false, null), keep ? ++key : 0);
  };
  return { client, stats, kept, backlog, outbox, deliver };
}

for (const seed of [1, 2]) {
  test(`no identifier is used again while it is in flight, nor is 0, over more than there are; seed ${seed}`, () => {
    const random = generator(seed);
    const { client, outbox, deliver } = setUp({ inflight: 500 });
    const inFlight = new Set<number>();
    for (let i = 0; i < 70_000; i++) {
      deliver(1, random() < 0.5);
      for (const id of client.written.splice(0)) {
        assert.ok(id > 0 && id < 65_536 && !inFlight.has(id), `${id}`);
        inFlight.add(id);
      }
      assert.ok(inFlight.size <= 500);
      for (const id of inFlight) {
        // Most are acknowledged soon, some late.
        if (random() < 0.3 && inFlight.size < 490) break;
        if (random() < 0.1) continue;
        inFlight.delete(id);
        outbox.acknowledged(id, PUBACK);
        break;
      }
    }
  });
}

test('the bounds hold: messages and bytes, of what is kept and what is not', () => {
  for (const keep of [false, true]) {
    const byMessages = setUp({ inflight: 1, clientQueueMessages: 5 });
    for (let i = 0; i < 6; i++) assert.equal(byMessages.deliver(1, keep), true);
    assert.equal(byMessages.outbox.waitingMessages, 5);
    assert.equal(byMessages.deliver(0), true, 'QoS 0 is dropped');
    assert.deepEqual(byMessages.client.disconnects, []);
    assert.equal(byMessages.deliver(1, keep), false);
    assert.deepEqual(byMessages.client.disconnects, [0x97]);
    assert.equal(byMessages.deliver(1, keep), false, 'it takes no more');
    assert.deepEqual(byMessages.client.disconnects, [0x97], 'and says so once');
    assert.equal(byMessages.outbox.queuedBytes, 0);
    // The one of QoS 0; and what waited and the one too many, unless it is kept.
    assert.equal(byMessages.stats.dropped, keep ? 1 : 7);
    assert.equal(byMessages.backlog.messages, keep ? 6 : 0);

    const byBytes = setUp({ inflight: 1, clientQueueBytes: 1000 });
    byBytes.deliver(1, keep);
    assert.equal(byBytes.deliver(1, keep, 5000), true, 'one may be larger');
    assert.equal(byBytes.deliver(1, keep, 1), false);
  }
});

test('what waits for the socket goes on at drain, what waits for the window at an acknowledgement', () => {
  const { client, outbox, deliver } = setUp({ inflight: 2 });
  client.output.pendingBytes = 2 * 1024 * 1024;
  deliver(1);
  deliver(0);
  deliver(2);
  deliver(1);
  assert.deepEqual(client.written, []);
  client.emit('drain');
  assert.deepEqual(client.written, [], 'the socket is still full');
  client.output.pendingBytes = 0;
  client.emit('drain');
  assert.deepEqual(client.written, [1, 0, 2]);
  assert.equal(outbox.acknowledged(99, PUBACK), true);
  assert.deepEqual(client.written, [1, 0, 2]);
  outbox.acknowledged(1, PUBACK);
  assert.deepEqual(client.written, [1, 0, 2, 3]);
});

test('nothing is written to a client that is closed', () => {
  const { client, outbox, deliver, stats } = setUp({ inflight: 1 });
  deliver(1);
  deliver(1);
  client.closed = true;
  // aedes emits this when it closes.
  client.emit('drain');
  assert.deepEqual(client.written, [1]);
  client.emit('close');
  assert.equal(outbox.waitingMessages, 0);
  assert.equal(stats.dropped, 1);
  assert.equal(deliver(0), false);
});

test('what is kept goes on with the next connection, in order, what was sent under its identifier', async () => {
  const { client, backlog, deliver, outbox } = setUp({ inflight: 3 });
  for (let i = 0; i < 5; i++) deliver(i % 2 === 0 ? 1 : 2, true);
  assert.equal(backlog.messages, 5);
  assert.ok(outbox.received(2));
  outbox.acknowledged(1, PUBACK);
  // PUBREL behind the messages of the window.
  assert.deepEqual(client.written, [1, 2, 3, 2, 4]);
  client.emit('close');
  assert.equal(backlog.messages, 4);
  const next = new FakeClient();
  next.receiveMaximum = 2;
  const second = next.outbox(backlog, LIMITS, new BrokerStats());
  await backlog.load(() => 1000);
  second.restore();
  assert.deepEqual(next.written, [2, 3]);
  assert.equal(second.waitingMessages, 2);
  assert.ok(second.acknowledged(2, PUBCOMP));
  assert.ok(second.acknowledged(3, PUBACK));
  assert.deepEqual(next.written, [2, 3, 4, 1]);
  assert.ok(second.acknowledged(4, PUBREC), 'with an error');
  assert.ok(second.acknowledged(1, PUBACK));
  assert.equal(backlog.messages, 0);
  assert.equal(backlog.bytes, 0);
});

test('of what is kept, QoS 2 and PUBREL leave when the store has them, and nothing overtakes them', async () => {
  const { client, kept, deliver, outbox } = setUp();
  kept.slow = true;
  deliver(1, true);
  assert.deepEqual(client.written, [1], 'QoS 1 need not wait');
  deliver(2, true);
  deliver(1, true);
  deliver(0);
  assert.deepEqual(client.written, [1]);
  assert.equal(outbox.waitingMessages, 0);
  deliver(0, false, 5000);
  assert.equal(outbox.waitingMessages, 1, 'what is long and not kept waits where it is counted');
  await kept.write();
  assert.deepEqual(client.written, [1, 2, 3, 0, 0]);
  assert.ok(outbox.received(2));
  assert.deepEqual(client.written, [1, 2, 3, 0, 0]);
  await kept.write();
  assert.deepEqual(client.written, [1, 2, 3, 0, 0, 2]);
});
for (const keep of [false, true]) {
  test(`a message takes only the acknowledgement that it waits for, ${keep ? 'kept' : 'not kept'}`, () => {
    const { outbox, deliver } = setUp({ inflight: 3 });
    deliver(1, keep);
    deliver(2, keep);
    assert.equal(outbox.received(1), false);
    assert.equal(outbox.acknowledged(1, PUBCOMP), false);
    assert.equal(outbox.acknowledged(2, PUBACK), false);
    assert.equal(outbox.acknowledged(2, PUBCOMP), false, 'PUBREC comes first');
    assert.equal(outbox.received(2), true);
    assert.equal(outbox.received(2), true, 'again');
    assert.equal(outbox.acknowledged(2, PUBACK), false);
    assert.equal(outbox.acknowledged(2, PUBREC), false, 'it has it already');
    assert.equal(outbox.acknowledged(2, PUBCOMP), true);
    assert.equal(outbox.acknowledged(1, PUBACK), true);
    for (const id of [1, 2]) assert.equal(outbox.received(id), true, 'it is over');
  });
}

test('topic aliases only for a client of MQTT 5 that asked for some; they are given as messages leave', () => {
  for (const [version, maximum, aliased] of [
    [5, 3, true],
    [5, 0, false],
    [4, 3, false],
  ] as const) {
    const client = new FakeClient();
    Object.assign(client, { version, receiveMaximum: 1 });
    const heads: string[] = [];
    const publish = (frame: Frame) => {
      heads.push(frame.head.toString('latin1', frame.start, frame.headEnd));
      return 0;
    };
    Object.assign(client.output, { publish, publishAs: publish });
    const stats = new BrokerStats();
    const outbox = new Outbox(
      client as unknown as AedesClient,
      client.output as unknown as Output,
      new Backlog(LIMITS, stats, new FakeKept()),
      LIMITS,
      stats,
      maximum,
    );
    const topics = new TopicTable(10);
    for (const [n, name] of ['vehicle/a', 'vehicle/b', 'vehicle/b', 'vehicle/a'].entries()) {
      const payload = Buffer.alloc(10);
      const packet = { cmd: 'publish', topic: name, payload, qos: 1, retain: false, dup: false } as const;
      const one = Message.of(topics.named(name), packet, 0);
      outbox.deliver(one, variantOf(version === 5, 1, false, null), n % 2 === 0 ? n + 1 : 0);
    }
    for (let id = 1; id <= 4; id++) outbox.acknowledged(id, PUBACK);
    assert.deepEqual(
      heads.map((head) => head.includes('vehicle/')),
      aliased ? [true, true, false, false] : [true, true, true, true],
    );
  }
});
