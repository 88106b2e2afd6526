/** aedes itself, as it is, on the store: what its handlers make of it over restarts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import mqtt, { type IClientOptions } from 'mqtt';
import { AedesBase } from '../../../src/broker/aedes-internals.js';
import { startStock } from '../stock.js';
import { queueOf, reopenable, sessionsOf } from './fixture.js';

const LASTING: IClientOptions = {
  clientId: 'lasting',
  clean: false,
  protocolVersion: 5,
  properties: { sessionExpiryInterval: 1000 },
  reconnectPeriod: 0,
};

test('messages of an absent client wait over a restart and come in order, with both qualities and properties', async (t) => {
  const world = await reopenable(t);
  const texts = Array.from({ length: 50 }, (_, i) => `m${i}`);
  for (const boot of [1, 2]) {
    const broker = new AedesBase({ id: `boot-${boot}`, persistence: world.store });
    // Keys rise over restarts.
    Object.assign(broker, { counter: boot * 1_000_000 });
    const { port } = await startStock(t, broker);
    const url = `mqtt://127.0.0.1:${port}`;
    if (boot === 1) {
      const subscriber = await mqtt.connectAsync(url, LASTING);
      await subscriber.subscribeAsync('x/#', { qos: 2, properties: { subscriptionIdentifier: 7 } });
      await subscriber.endAsync();
      const publisher = await mqtt.connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0 });
      const properties = { userProperties: { a: ['1', '2'] }, correlationData: Buffer.from([0, 255]) };
      for (const [i, text] of texts.entries()) {
        await publisher.publishAsync('x/y', text, { qos: i % 2 === 0 ? 1 : 2, properties });
      }
      await publisher.endAsync();
      await new Promise<void>((resolve) => broker.close(resolve));
      assert.deepEqual(await queueOf(world.store, 'lasting'), texts);
      await world.reopen();
      continue;
    }
    const subscriber = mqtt.connect(url, LASTING);
    t.after(() => subscriber.endAsync(true));
    const received: string[] = [];
    await new Promise<void>((resolve) => {
      subscriber.on('message', (_topic, payload, { properties }) => {
        received.push(String(payload));
        assert.deepEqual({ ...properties?.userProperties }, { a: ['1', '2'] });
        assert.deepEqual(properties?.correlationData, Buffer.from([0, 255]));
        if (received.length === texts.length) resolve();
      });
    });
    // The client gives a message with QoS 2 away when it is released.
    const each = (parity: number) => (text: string) => Number(text.slice(1)) % 2 === parity;
    for (const parity of [0, 1]) {
      assert.deepEqual(received.filter(each(parity)), texts.filter(each(parity)));
    }
    while ((await queueOf(world.store, 'lasting')).length > 0) await new Promise(setImmediate);
    const [session] = await sessionsOf(world.store);
    assert.deepEqual(session?.queued, { messages: 0, bytes: 0 });
    assert.deepEqual(
      session?.subscriptions.map(({ topic, qos, subscriptionIdentifier }) => [
        topic,
        qos,
        subscriptionIdentifier,
      ]),
      [['x/#', 2, 7]],
    );
  }
});
