import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bucket } from '../../src/bridge/bucket.js';
import { Refused } from '../../src/bridge/link.js';
import type { Outgoing } from '../../src/bridge/outgoing.js';
import { Sender } from '../../src/bridge/sender.js';
import { BridgeStats } from '../../src/bridge/stats.js';
import { connack, FakeLink, FakeTime, MemoryLog } from './fixture.js';

function rig({ inflight = 10, rate = 0, properties = {} } = {}) {
  const time = new FakeTime();
  const stats = new BridgeStats();
  const log = new MemoryLog();
  const sender = new Sender({ inflight, bucket: new Bucket(rate, time.now()), time, stats, log });
  const link = new FakeLink();
  sender.attach(link, connack(properties));
  let settled = 0;
  const send = (message: Outgoing) => sender.send(message, () => settled++);
  return { time, stats, log, sender, link, send, settled: () => settled };
}

function message(payload = 'x', more: Partial<Outgoing> = {}): Outgoing {
  const bytes = Buffer.from(payload);
  return { topic: 't', payload: bytes, qos: 1, retain: false, properties: {}, expiry: undefined, ...more };
}

test('no more than the window is on its way, and what is acknowledged counts as sent', () => {
  const { sender, link, send, stats, settled } = rig({ inflight: 2 });
  let asked = 0;
  sender.onReady = () => asked++;
  send(message('one'));
  send(message('two'));
  assert.ok(!sender.ready());
  assert.equal(stats.sent, 0);
  link.acknowledge(1);
  assert.equal(asked, 1);
  assert.ok(sender.ready());
  assert.deepEqual([stats.sent, stats.bytesSent, settled()], [1, 3, 1]);
});

test('the Receive Maximum of the other broker is kept, and its Maximum QoS and retain', () => {
  const { sender, link, send, log } = rig({
    properties: { receiveMaximum: 1, retainAvailable: false },
  });
  send(message('x', { retain: true }));
  assert.ok(!sender.ready());
  assert.equal(link.sent[0]!.retain, false);
  const low = rig({ properties: { maximumQoS: 0 } });
  low.send(message());
  assert.equal(low.link.sent[0]!.qos, 0);
  assert.equal(low.settled(), 1);
  assert.equal(low.log.count('warn', /QoS 0 only/), 1);
  assert.equal(log.lines.length, 0);
});

test('large messages wait for those before them', () => {
  const { sender, link, send } = rig();
  send(message('x'.repeat(3 * 1024 * 1024)));
  assert.ok(sender.ready());
  send(message('x'.repeat(3 * 1024 * 1024)));
  assert.ok(!sender.ready());
  link.acknowledge(1);
  assert.ok(sender.ready());
});

test('the bandwidth is kept, and who waits for it is told', () => {
  const { sender, send, time, link } = rig({ rate: 1000 });
  let asked = 0;
  sender.onReady = () => asked++;
  assert.ok(sender.ready());
  send(message('x'.repeat(2990)));
  link.acknowledge();
  asked = 0;
  assert.ok(!sender.ready());
  assert.ok(!sender.ready());
  assert.equal(time.due.length, 1, 'one timer, however often it is asked');
  time.advance(1999);
  assert.equal(asked, 0);
  time.advance(100);
  assert.equal(asked, 1);
  assert.ok(sender.ready());
});

test('what is larger than the other broker takes is not sent', () => {
  const { send, link, stats, settled, log } = rig({ properties: { maximumPacketSize: 100 } });
  send(message('x'.repeat(85)));
  assert.equal(link.sent.length, 1);
  send(message('x'.repeat(100)));
  send(message('x', { properties: { userProperties: { long: 'x'.repeat(100) } } }));
  assert.equal(link.sent.length, 1);
  assert.equal(stats.refused, 2);
  assert.equal(settled(), 2);
  assert.equal(log.count('warn', /not taken/), 1);
});

test('what is refused is passed over and told once; what is only too much for now ends the link', () => {
  const { send, link, stats, settled, log } = rig();
  send(message());
  send(message());
  link.acknowledge(2, new Refused('Not authorized', 0x87));
  assert.deepEqual([stats.refused, stats.sent, settled()], [2, 0, 2]);
  assert.equal(log.count('warn', /not taken/), 1);
  assert.equal(log.lines[0]!.fields.reason, 'Not authorized (0x87)');
  send(message());
  link.acknowledge(1, new Refused('Quota exceeded', 0x97));
  assert.match(String(link.destroyed), /Quota/);
  assert.equal(settled(), 2);
});

test('the Message Expiry Interval is what is left of it', () => {
  const { send, link, time, stats, settled } = rig();
  time.advance(5000);
  send(message('x', { expiry: 12_500, properties: { contentType: 'c' } }));
  assert.deepEqual(link.sent[0]!.properties, { contentType: 'c', messageExpiryInterval: 8 });
  send(message('x', { expiry: 5000 }));
  assert.equal(link.sent.length, 1);
  assert.deepEqual([stats.expired, settled()], [1, 1]);
});

test('the end waits for acknowledgements, for a while', async () => {
  const { sender, send, link, time } = rig();
  await sender.settled(1000);
  send(message());
  let over = false;
  const waiting = sender.settled(1000).then(() => {
    over = true;
  });
  await Promise.resolve();
  assert.equal(over, false);
  link.acknowledge();
  await waiting;
  assert.deepEqual(time.due, []);
  send(message());
  const late = sender.settled(1000);
  time.advance(1000);
  await late;
  send(message());
  const lost = sender.settled(1000);
  sender.detach();
  await lost;
  assert.ok(!sender.ready());
});
