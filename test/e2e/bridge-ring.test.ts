import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { bridgeUp, connected, inbox, RECONNECT } from './bridge-fixture.js';
import { type StartedBroker, startBroker } from './process.js';

test('brokers of ours in a ring of bridges: every message comes everywhere, and once', async (t) => {
  const both = [{ filter: 'ring/#' }];
  const bridgeTo = (name: string, url: string, more: object) => ({
    name,
    url,
    reconnect: RECONNECT,
    ...more,
  });
  const first = await startBroker(t, []);
  // Over WebSockets.
  const second = await startBroker(t, [], {
    config: { bridges: [bridgeTo('first', first.ws, { in: both, out: both })] },
  });
  const third = await startBroker(t, [], {
    config: { bridges: [bridgeTo('second', second.tcp, { out: both })] },
  });
  const last = await startBroker(t, [], {
    config: {
      bridges: [bridgeTo('third', third.tcp, { out: both }), bridgeTo('first', first.tcp, { in: both })],
    },
  });
  await bridgeUp(t, second, 'first');
  await bridgeUp(t, third, 'second');
  await bridgeUp(t, last, 'third');
  await bridgeUp(t, last, 'first');
  const here = await connected(t, third.tcp);
  const atThird = await inbox(here, 'ring/#');
  const atFirst = await inbox(await connected(t, first.tcp), 'ring/#');
  const atLast = await inbox(await connected(t, last.tcp), 'ring/#');
  await here.publishAsync('ring/a', 'round', { qos: 1 });
  await Promise.all([atFirst, atLast].map((box) => box.until(() => box.packets.length === 1)));
  const returned = /returned_publishes_total 1\n/;
  while (!returned.test(await (await fetch(`${third.http}/metrics`)).text()));
  await here.publishAsync('ring/b', 'end', { qos: 1 });
  await Promise.all([atFirst, atLast].map((box) => box.until(() => box.packets.length === 2)));
  for (const box of [atThird, atFirst, atLast]) assert.deepEqual(box.payloads, ['round', 'end']);
  assert.deepEqual(atLast.packets[0].properties?.userProperties?.['mqtt-stream-bridge'], [
    await idOf(third),
    await idOf(second),
  ]);
});

test('two brokers of ours with a bridge to each other', async (t) => {
  const out = [{ filter: 'both/#' }];
  const first = await startBroker(t, []);
  const second = await startBroker(t, [], {
    config: { bridges: [{ name: 'first', url: first.tcp, reconnect: RECONNECT, out }] },
  });
  const { folder } = first;
  const port = Number(new URL(first.tcp).port);
  await first.stop();
  const again = await startBroker(t, [], {
    folder,
    config: {
      listeners: [
        { protocol: 'tcp', port },
        { protocol: 'ws', port: 0 },
      ],
      bridges: [{ name: 'second', url: second.tcp, reconnect: RECONNECT, out }],
    },
  });
  await bridgeUp(t, again, 'second');
  await bridgeUp(t, second, 'first');
  const here = await connected(t, again.tcp);
  const atHome = await inbox(here, 'both/#');
  const there = await inbox(await connected(t, second.tcp), 'both/#');
  await here.publishAsync('both/a', '1', { qos: 1 });
  await here.publishAsync('both/a', '2', { qos: 2 });
  const returned = /returned_publishes_total 2\n/;
  while (!returned.test(await (await fetch(`${again.http}/metrics`)).text()));
  assert.deepEqual(atHome.payloads, ['1', '2']);
  assert.deepEqual(there.payloads, ['1', '2']);
});

async function idOf({ dataDir }: StartedBroker): Promise<string> {
  return JSON.parse(await readFile(join(dataDir, 'bridges', 'id.json'), 'utf8')).id;
}
