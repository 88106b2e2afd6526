/** aedes acknowledges QoS 1 before anything has happened to the message; ours when it is captured. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AedesBase } from '../../src/broker/aedes-internals.js';
import { FakeCapture, noRoom } from './fake-capture.js';
import { startBroker } from './fixture.js';
import { startStock } from './stock.js';
import { WireClient } from './wire-client.js';

test('stock: PUBACK is there before the message is published', async (t) => {
  const published: string[] = [];
  class Slow extends AedesBase {
    override publish(packet: { topic: string }, client: unknown, done?: unknown): void {
      if (packet.topic.startsWith('$SYS')) super.publish(packet, client, done);
      // It waits for ever: for a disk, say.
      else published.push(packet.topic);
    }
  }
  const { port } = await startStock(t, new Slow({}));
  const publisher = await WireClient.connect(t, port);
  publisher.publish({ topic: 'a', qos: 1 });
  assert.equal((await publisher.next()).cmd, 'puback');
});

for (const [qos, ack] of [
  [1, 'puback'],
  [2, 'pubrec'],
] as const) {
  test(`ours: no ${ack} until the message is captured`, async (t) => {
    const capture = new FakeCapture();
    capture.hasRoom = noRoom;
    const { tcp } = await startBroker(t, { capture });
    const subscriber = await WireClient.connect(t, tcp.port);
    await subscriber.subscribe('#');
    const publisher = await WireClient.connect(t, tcp.port);
    publisher.publish({ topic: 'a', payload: 'x', qos });
    await capture.waits(1);
    assert.deepEqual(publisher.take(), []);
    assert.deepEqual(await subscriber.sync(), [], 'nor is it forwarded');
    assert.deepEqual(capture.taken, []);
    capture.makeRoom();
    assert.equal((await publisher.next()).cmd, ack);
    assert.deepEqual(capture.payloads, ['x']);
    assert.equal((await subscriber.nextPublish()).payload.toString(), 'x');
  });
}
