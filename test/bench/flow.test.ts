/** The load generator itself: what a broker loses has to be noticed. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Aedes, type AedesPublishPacket } from 'aedes-stock';
import { runFlow } from '../../bench/load/flow.js';
import { checkFlow, type FlowPlan } from '../../bench/load/plan.js';
import { CheckFailed } from '../../bench/question.js';

const PLAN: FlowPlan = {
  port: 0,
  publishers: 3,
  subscribers: 3,
  qos: 0,
  payloadBytes: 64,
  topic: 'bench',
  messages: 90,
  seconds: 10,
};

async function start(t: TestContext, forwards: (packet: AedesPublishPacket) => boolean): Promise<number> {
  const broker = await Aedes.createBroker({
    authorizeForward: (_client, packet) => (forwards(packet) ? packet : null),
  });
  const server = createServer({ noDelay: true }, (socket) => broker.handle(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(async () => {
    await new Promise<void>((resolve) => broker.close(resolve));
    server.close();
  });
  return (server.address() as { port: number }).port;
}

test('everything arrives at everybody, in pairs at one, and not at the stalled one', async (t) => {
  const port = await start(t, () => true);
  const all = await runFlow({ ...PLAN, port, latencies: true });
  assert.deepEqual([all.failure, all.sent, all.received, all.wrong], [null, 90, 270, 0]);
  assert.equal(all.latencies.length, 2 * 270);
  checkFlow(PLAN, all);
  const pairs = { ...PLAN, port, pairs: true, qos: 1, rate: 2000 } as const;
  const paired = await runFlow(pairs);
  assert.deepEqual([paired.sent, paired.acknowledged, paired.received], [90, 90, 90]);
  checkFlow(pairs, paired);
  const stalled = { ...PLAN, port, stalled: 1 };
  const others = await runFlow(stalled);
  assert.deepEqual([others.sent, others.received], [90, 180]);
  checkFlow(stalled, others);
});

test('distinct topics and a crowd: what the filters match arrives', async (t) => {
  const port = await start(t, () => true);
  const crowd = { clients: 2, filters: 30, matching: 9 };
  const plan = { ...PLAN, port, publishers: 1, topics: 90, crowd };
  const result = await runFlow(plan);
  assert.deepEqual([result.sent, result.received, result.crowdExcess], [90, 270, 0]);
  checkFlow(plan, result);
});

test('a message that is lost is noticed', async (t) => {
  let seen = 0;
  const port = await start(t, ({ topic }) => !topic.startsWith('bench/') || ++seen !== 50);
  const result = await runFlow({ ...PLAN, port });
  assert.equal(result.received, 269);
  assert.throws(() => checkFlow(PLAN, result), CheckFailed);
});

test('a connection that ends is no result', async (t) => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const result = await runFlow({ ...PLAN, port });
  assert.match(result.failure ?? '', /subscriber \d/);
  assert.throws(() => checkFlow(PLAN, result), CheckFailed);
});
