/** Who gets in, as clients see it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Credentials } from '../../src/broker/access/access.js';
import { allow, Bench, link, PASSWORDS } from './access/bench.js';
import { startBroker, until } from './fixture.js';
import { WireClient } from './wire-client.js';

const ADA = { username: 'ada', password: Buffer.from('ada-password') };

for (const version of [3, 4, 5] as const) {
  test(`who shows nothing, or the wrong thing, is refused and disconnected, MQTT ${version}`, async (t) => {
    const access = await new Bench([PASSWORDS]).open();
    const { tcp, broker } = await startBroker(t, { access });
    const wrong = [
      {},
      { username: 'ada' },
      { ...ADA, password: Buffer.from('x') },
      { ...ADA, username: 'bob' },
    ];
    for (const options of wrong) {
      const client = await WireClient.open(t, tcp.port, version);
      const { returnCode, reasonCode } = await client.connect(options);
      assert.equal(version === 5 ? reasonCode : returnCode, version === 5 ? 0x86 : 4);
      await client.ended;
    }
    assert.equal(broker.stats.refusedLogins, wrong.length);
    const client = await WireClient.open(t, tcp.port, version);
    const { returnCode, reasonCode } = await client.connect(ADA);
    assert.equal(version === 5 ? reasonCode : returnCode, 0);
    await until(() => broker.stats.connections === 1);
    assert.deepEqual(await client.sync(), []);
  });

  test(`whose login cannot be asked about is told so, MQTT ${version}`, async (t) => {
    for (const [answer, code5, code] of [
      [new Error('broken'), 0x88, 3],
      [{ allowed: false, reason: 0x87 }, 0x87, 5],
    ] as const) {
      const access = await new Bench([link(answer)]).open();
      const { tcp } = await startBroker(t, { access });
      const client = await WireClient.open(t, tcp.port, version);
      const { returnCode, reasonCode } = await client.connect(ADA);
      assert.equal(version === 5 ? reasonCode : returnCode, version === 5 ? code5 : code);
    }
  });
}

test('what is asked is what the client has brought; what comes with CONNECT waits for the answer', async (t) => {
  const asked: Credentials[] = [];
  let answer = () => {};
  const chain = [
    {
      authenticate: async (credentials: Credentials) => {
        asked.push(credentials);
        await new Promise<void>((resolve) => {
          answer = resolve;
        });
        return { allowed: true, user: 'somebody' } as const;
      },
    },
  ];
  const access = await new Bench(chain, [allow('a/${username}')]).open();
  const { tcp, broker } = await startBroker(t, { access });
  const client = await WireClient.open(t, tcp.port);
  client.send(
    client.connectPacket({ ...ADA, clientId: '__proto__' }),
    client.publishPacket({ topic: 'a/somebody', qos: 1 }),
    client.publishPacket({ topic: 'a/ada', qos: 1 }),
  );
  await until(() => asked.length === 1);
  const { password, ...who } = asked[0];
  assert.deepEqual(who, {
    clientId: '__proto__',
    user: 'ada',
    address: '127.0.0.1',
    local: true,
    inside: false,
    certificate: null,
  });
  assert.deepEqual(Buffer.from(password!), ADA.password);
  assert.equal(broker.sessions.count, 0);
  answer();
  assert.equal((await client.next()).cmd, 'connack');
  const codes = (await client.sync()).map((packet) => packet.cmd === 'puback' && packet.reasonCode);
  assert.deepEqual(codes, [0x10, 0x87]);
});

test('a client that goes while it is asked about leaves nothing behind', async (t) => {
  let answer = () => {};
  let asked = false;
  const chain = [
    {
      authenticate: async () => {
        asked = true;
        await new Promise<void>((resolve) => {
          answer = resolve;
        });
        return { allowed: true, user: 'ada' } as const;
      },
    },
  ];
  const { tcp, broker } = await startBroker(t, { access: await new Bench(chain).open() });
  const client = await WireClient.open(t, tcp.port);
  client.send(client.connectPacket(ADA));
  await until(() => asked);
  await client.break();
  answer();
  // It was not read meanwhile, so that its end is seen only now.
  await until(() => broker.stats.connections === 0);
  assert.equal(broker.sessions.count, 0);
});

test('a client is disconnected when what it has shown is not valid any more', async (t) => {
  let until: number | undefined;
  const chain = [
    { authenticate: async () => ({ allowed: true, user: 'ada', ...(until ? { until } : {}) }) as const },
  ];
  const { tcp } = await startBroker(t, { access: await new Bench(chain).open() });
  until = Date.now() + 1e12;
  const long = await WireClient.connect(t, tcp.port);
  until = Date.now() + 30;
  const short = await WireClient.connect(t, tcp.port);
  const packet = await short.next();
  assert.deepEqual([packet.cmd, packet.cmd === 'disconnect' && packet.reasonCode], ['disconnect', 0x87]);
  await short.ended;
  assert.deepEqual(await long.sync(), []);
});
