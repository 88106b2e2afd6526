/** Topics that only the broker and its transfer client publish on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeCapture } from './fake-capture.js';
import { startBroker } from './fixture.js';
import { messages, WireClient } from './wire-client.js';

const RESERVED = ['$SYS/x', '$SYS/test/new/clients', 'MQfile/x', 'ParquetFile/x', '$STREAM/result/x'];
const FILTERS = ['$SYS/+', 'MQfile/#', 'ParquetFile/#', '$STREAM/#'].map((topic) => ({ topic }));

for (const version of [4, 5] as const) {
  test(`a publish on one of them is not routed and not captured; its publisher stays, MQTT ${version}`, async (t) => {
    const capture = new FakeCapture();
    const { tcp, broker } = await startBroker(t, { capture });
    let requests = 0;
    broker.events.onRequest = () => {
      requests++;
    };
    const watcher = await WireClient.connect(t, tcp.port);
    await watcher.subscribe(FILTERS);
    const victim = await WireClient.connect(t, tcp.port, { clientId: 'victim' });
    const client = await WireClient.connect(t, tcp.port, { version });
    for (const topic of RESERVED) {
      client.publish({ topic, payload: 'victim' });
      client.publish({ topic, payload: 'victim', qos: 1, retain: true });
      client.publish({ topic, payload: 'victim', qos: 2, messageId: 7 });
      const [puback, pubrec] = await client.sync();
      const code = version === 5 ? 0x87 : undefined;
      assert.deepEqual(puback.cmd === 'puback' && [puback.reasonCode], [code], topic);
      assert.deepEqual(pubrec.cmd === 'pubrec' && [pubrec.reasonCode], [code], topic);
      client.send({ cmd: 'pubrel', messageId: 7 });
      const pubcomp = await client.next();
      // For MQTT 5 the exchange has ended with PUBREC.
      assert.equal(pubcomp.cmd === 'pubcomp' && (pubcomp.reasonCode ?? 0), version === 5 ? 0x92 : 0);
    }
    assert.deepEqual(messages(await watcher.sync()), []);
    assert.deepEqual(await victim.sync(), [], 'it is still there');
    assert.equal(broker.stats.refused, RESERVED.length * 3);
    assert.equal(broker.retained.count, 0);
    assert.equal(requests, 0);
    assert.deepEqual(capture.taken, []);
  });
}

test('a request is handed over and acknowledged, not routed', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const requests: string[] = [];
  broker.events.onRequest = ({ topic, payload }, clientId) =>
    requests.push(`${clientId} ${topic} ${payload}`);
  const client = await WireClient.connect(t, tcp.port, { clientId: 'c' });
  await client.subscribe([{ topic: '$STREAM/#' }]);
  for (const qos of [0, 1, 2] as const) client.publish({ topic: '$STREAM/search', payload: `${qos}`, qos });
  assert.deepEqual(
    (await client.sync()).map(({ cmd }) => cmd),
    ['puback', 'pubrec'],
  );
  assert.deepEqual(requests, ['c $STREAM/search 0', 'c $STREAM/search 1', 'c $STREAM/search 2']);
});

test('the transfer client publishes files, on ParquetFile only; its coming and going is told', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const published: string[] = [];
  let gone = 0;
  let ready = 0;
  broker.events.onTransferPublish = ({ topic }) => published.push(topic);
  broker.events.onTransferReady = () => {
    ready++;
  };
  broker.events.onTransferGone = () => {
    gone++;
  };
  const watcher = await WireClient.connect(t, tcp.port);
  await watcher.subscribe(FILTERS);
  const client = await WireClient.connect(t, tcp.port, { username: 'mqtt-stream-transfer' });
  await client.subscribe([{ topic: '$STREAM/transfer', qos: 1 }]);
  assert.equal(ready, 1);
  for (const topic of ['ParquetFile/r/f/0', 'MQfile/x', '$SYS/x', 'a']) client.publish({ topic, qos: 1 });
  const codes = (await client.sync()).map((packet) => packet.cmd === 'puback' && packet.reasonCode);
  assert.deepEqual(codes, [0, 0x87, 0x87, 0x10]);
  assert.deepEqual(published, ['ParquetFile/r/f/0']);
  assert.deepEqual(messages(await watcher.sync()), ['ParquetFile/r/f/0 ']);
  assert.equal(gone, 0);
  await client.break();
  await watcher.sync();
  await watcher.sync();
  assert.equal(gone, 1);
});

test('a request for transfer goes to one transfer client: one that runs by itself before the embedded one', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const order = () =>
    broker.requestTransfer(
      {
        cmd: 'publish',
        topic: '$STREAM/transfer',
        payload: Buffer.from('{}'),
        qos: 1,
        retain: false,
        dup: false,
      },
      'embedded',
    );
  const somebody = await WireClient.connect(t, tcp.port);
  await somebody.subscribe([{ topic: '$STREAM/transfer' }]);
  assert.equal(order(), false);
  const connect = async (clientId: string) => {
    const client = await WireClient.connect(t, tcp.port, { clientId, username: 'mqtt-stream-transfer' });
    await client.subscribe([{ topic: '$STREAM/transfer' }]);
    return client;
  };
  const embedded = await connect('embedded');
  assert.equal(order(), true);
  assert.deepEqual(messages(await embedded.sync()), ['$STREAM/transfer {}']);
  const other = await connect('other');
  assert.equal(order(), true);
  assert.deepEqual(messages(await embedded.sync()), []);
  assert.deepEqual(messages(await other.sync()), ['$STREAM/transfer {}']);
  assert.deepEqual(messages(await somebody.sync()), []);
});
