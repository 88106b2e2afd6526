import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import mqtt from 'mqtt';
import { bridge, bridgeUp, connected, Inbox, inbox, numbers, publishAll } from './bridge-fixture.js';
import { Mosquitto, NO_MOSQUITTO } from './mosquitto.js';
import { startBroker } from './process.js';

const run = promisify(execFile);
const STREAM = { name: 'vehicle', topics: ['vehicle/#'] };
const CLI = new URL('../../src/cli/main.js', import.meta.url).pathname;

test('what a stream captured while the other broker was away arrives in order', {
  skip: NO_MOSQUITTO,
}, async (t) => {
  const remote = await Mosquitto.start(t);
  const broker = await startBroker(t, [{ ...STREAM, flush: { messages: 500 } }], {
    config: {
      bridges: [
        bridge(remote, { clientId: 'car', stream: 'vehicle', inflight: 50, out: [{ filter: 'vehicle/#' }] }),
      ],
    },
  });
  await bridgeUp(t, broker);
  // Listens before it connects: what waited for it comes at once.
  const collector = () => {
    const client = mqtt.connect(`mqtt://127.0.0.1:${remote.port}`, {
      clientId: 'collector',
      protocolVersion: 5,
      clean: false,
      reconnectPeriod: 0,
      properties: { sessionExpiryInterval: 1000 },
    });
    client.on('error', () => {});
    t.after(() => client.end(true));
    return client;
  };
  const first = collector();
  const before = await inbox(first, 'vehicle/#');
  const here = await connected(t, broker.tcp);
  await publishAll(here, 'vehicle/n', numbers(0, 1000));
  await remote.stop();
  await publishAll(here, 'vehicle/n', numbers(1000, 3000));
  await remote.start();
  await publishAll(here, 'vehicle/n', numbers(3000, 4000));
  const second = new Inbox(collector());
  await second.until(() => second.payloads.includes('3999'));
  // The window of the bridge, and what mosquitto itself had sent to the collector without an acknowledgement.
  assertAllOnceOrAgain([...before.payloads, ...second.payloads], 4000, 50 + 20);
});

test('the position survives kill -9 and a stop of the broker', { skip: NO_MOSQUITTO }, async (t) => {
  const remote = await Mosquitto.start(t);
  const there = await connected(t, `mqtt://127.0.0.1:${remote.port}`);
  const all = await inbox(there, 'vehicle/#');
  const config = {
    bridges: [
      bridge(remote, { clientId: 'car', stream: 'vehicle', inflight: 50, out: [{ filter: 'vehicle/#' }] }),
    ],
  };
  let broker = await startBroker(t, [STREAM], { config });
  const { folder } = broker;
  await bridgeUp(t, broker);
  let here = await connected(t, broker.tcp);
  await publishAll(here, 'vehicle/n', numbers(0, 1000));
  await run(process.execPath, [CLI, 'flush', '--stream', 'vehicle', '--url', broker.tcp]);
  await all.until(() => all.packets.length > 700);
  await broker.stop('SIGKILL');

  // All of it is in a file: nothing is lost, and at most the window comes again.
  broker = await startBroker(t, [STREAM], { folder, config });
  await all.until(() => all.payloads.includes('999'));
  here = await connected(t, broker.tcp);
  await publishAll(here, 'vehicle/n', numbers(1000, 2000));
  assert.equal(await broker.stop('SIGTERM'), 0);

  broker = await startBroker(t, [STREAM], { folder, config });
  here = await connected(t, broker.tcp);
  await publishAll(here, 'vehicle/n', numbers(2000, 2100));
  await all.until(() => all.payloads.includes('2099'));
  assertAllOnceOrAgain(all.payloads, 2100, 100);
});

test('what a crash took of a stream without a journal is a gap, and what comes after it goes on', {
  skip: NO_MOSQUITTO,
}, async (t) => {
  const { payloads, http } = await afterCrash(t, { durability: 'none' });
  assert.deepEqual(payloads, numbers(100, 110));
  const metrics = await (await fetch(`${http}/metrics`)).text();
  assert.match(metrics, /bridge_gaps_total\{bridge="cloud"\} 1\n/);
});

test('what only the journal kept over a crash goes out too, before what comes after it', {
  skip: NO_MOSQUITTO,
}, async (t) => {
  const { payloads } = await afterCrash(t, {});
  assert.deepEqual(payloads, numbers(0, 110));
});

/**
 * What the other broker gets of 0 to 99, published while it was away and before a crash of ours, and of 100 to 109, published
 * after that.
 */
async function afterCrash(
  t: TestContext,
  shape: object,
): Promise<{ payloads: readonly string[]; http: string }> {
  const remote = await Mosquitto.start(t);
  const config = {
    bridges: [bridge(remote, { clientId: 'car', stream: 'vehicle', out: [{ filter: 'vehicle/#' }] })],
  };
  const streams = [{ ...STREAM, flush: { every: 0, idle: 0 }, ...shape }];
  const broker = await startBroker(t, streams, { config });
  await bridgeUp(t, broker);
  await remote.stop();
  await publishAll(await connected(t, broker.tcp), 'vehicle/n', numbers(0, 100));
  await broker.stop('SIGKILL');
  await remote.start();
  const all = await inbox(await connected(t, `mqtt://127.0.0.1:${remote.port}`), 'vehicle/#');
  const next = await startBroker(t, streams, { folder: broker.folder, config });
  await publishAll(await connected(t, next.tcp), 'vehicle/n', numbers(100, 110));
  await all.until(() => all.payloads.includes('109'));
  return { payloads: all.payloads, http: next.http };
}

/** `0`, `1`, ... each at least once, the first ones of them in order, and at most so many again. */
function assertAllOnceOrAgain(payloads: readonly string[], count: number, again: number): void {
  const first = [...new Set(payloads)];
  assert.deepEqual(first, numbers(0, count));
  assert.ok(payloads.length <= count + again, `${payloads.length - count} came again`);
}
