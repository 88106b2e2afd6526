/** A client that sends and never reads its acknowledgements does not fill the broker's memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startBroker, until } from './fixture.js';
import { WireClient } from './wire-client.js';

test('it is not read any more until it takes them; others go on, nothing is lost', async (t) => {
  const { tcp, broker } = await startBroker(t);
  const client = await WireClient.connect(t, tcp.port, { clientId: 'c', version: 4 });
  const { conn } = broker.clients.c;
  // As if the client's side were full: the kernel would take a million acknowledgements before it is.
  const write = conn._write.bind(conn);
  const written: { bytes: Buffer; done: () => void }[] = [];
  conn._write = (bytes, _encoding, done) => written.push({ bytes, done });
  conn._writev = (chunks, done) =>
    written.push({ bytes: Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)), done });
  const before = broker.stats.received;
  const publish = client.encode(client.publishPacket({ topic: 'a', qos: 1, messageId: 1 }));
  client.sendBytes(Buffer.concat(Array.from({ length: 100_000 }, () => publish)));
  await until(() => broker.heldConnections === 1);
  const handled = broker.stats.received - before;
  // Besides as many as there are identifiers, those whose answers have filled what is written at once.
  assert.ok(handled >= 65_535 && handled < 65_535 + 20_000, `${handled}`);
  const other = await WireClient.connect(t, tcp.port);
  for (let i = 0; i < 20; i++) await other.sync();
  assert.ok(broker.stats.received - before < handled + 10, 'besides what aedes says of the other');
  conn._write = write;
  conn._writev = null as never;
  for (const { bytes, done } of written) write(bytes, 'buffer' as BufferEncoding, done);
  const answers = await client.sync();
  assert.equal(answers.length, 100_000);
  assert.ok(answers.every(({ cmd }) => cmd === 'puback'));
});
