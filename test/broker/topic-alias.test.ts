/** Topic aliases to a client that asks for them (MQTT 5 section 3.1.2.11.5). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IPublishPacket } from 'mqtt-packet';
import { startBroker } from './fixture.js';
import { lasting, leave } from './lasting.js';
import { WireClient } from './wire-client.js';

/** Topic and alias of each. */
function topics(packets: unknown[]): unknown[] {
  return (packets as IPublishPacket[]).map(({ topic, properties }) => [topic, properties?.topicAlias]);
}

test('to who asks for them, and to nobody else; each connection has its own', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const who = lasting(5, { properties: { topicAliasMaximum: 2 } });
  const asking = await WireClient.connect(t, tcp.port, who);
  await asking.subscribe([{ topic: 'vehicle/#', qos: 1 }]);
  const plain = await WireClient.connect(t, tcp.port);
  await plain.subscribe([{ topic: 'vehicle/#', qos: 0 }]);
  const publisher = await WireClient.connect(t, tcp.port);
  const publish = async (...names: string[]) => {
    for (const name of names) publisher.publish({ topic: `vehicle/${name}`, payload: name, qos: 1 });
    await publisher.sync();
  };
  await publish('speed', 'light', 'speed', 'wheel', 'speed');
  assert.deepEqual(topics(await asking.sync()), [
    ['vehicle/speed', 1],
    ['vehicle/light', 2],
    ['', 1],
    ['vehicle/wheel', 1],
    ['vehicle/speed', 2],
  ]);
  assert.deepEqual(
    topics(await plain.sync()).map((one) => (one as unknown[])[1]),
    Array(5).fill(undefined),
  );
  await leave(asking, broker);
  const again = await WireClient.connect(t, tcp.port, who);
  assert.deepEqual(topics((await again.sync()).slice(0, 3)), [
    ['vehicle/speed', 1],
    ['vehicle/light', 2],
    ['', 1],
  ]);
});
