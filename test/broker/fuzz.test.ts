/** 200,000 packets, some of them broken, and noise, over both transports: nothing happens to anybody else. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import WebSocket from 'ws';
import { generator } from '../catalog/generator.js';
import { startBroker } from './fixture.js';
import { connectBytes, mutate, noise, packetBytes } from './mutator.js';
import { WireClient } from './wire-client.js';

const PACKETS = 200_000;
const PACKETS_EACH = 100;
const AT_ONCE = 20;
const LEAST_WS = 10;
/** What sessions, retained messages and topics of late may hold at the end. */
const MOST_GROWTH = 64 * 1024 * 1024;

/** What one connection sends: CONNECT, then packets of which one in thirty is broken, or noise. */
function conversation(random: () => number): Buffer[] {
  const version = ([3, 4, 5] as const)[Math.floor(random() * 3)];
  const hello = connectBytes(random, version);
  const sent = [random() < 0.1 ? mutate(random, hello) : hello];
  while (sent.length < PACKETS_EACH) {
    const one = packetBytes(random, version);
    const kind = random();
    sent.push(kind < 0.003 ? noise(random, 200) : kind < 0.03 ? mutate(random, one) : one);
  }
  return sent;
}

async function overTcp(port: number, sent: Buffer[], random: () => number): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.resume();
  const closed = once(socket, 'close');
  const bytes = Buffer.concat(sent);
  // In pieces that end anywhere.
  for (let at = 0; at < bytes.length; ) {
    const to = at + 1 + Math.floor(random() * bytes.length);
    socket.write(bytes.subarray(at, to));
    at = to;
  }
  socket.end();
  await closed;
}

async function overWebSocket(url: string, sent: Buffer[]): Promise<void> {
  const socket = new WebSocket(url, 'mqtt');
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  await Promise.race([once(socket, 'open'), closed]);
  for (const bytes of sent) socket.send(bytes);
  socket.close();
  await closed;
}

function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test(`${PACKETS} packets do not harm anybody`, async (t) => {
  const limits = { clientQueueMessages: 100, clientQueueBytes: 100_000, packetBytes: 1_000_000 };
  const { tcp, ws, log, audited, broker } = await startBroker(t, { limits });
  const normal = await WireClient.connect(t, tcp.port, { clientId: 'normal' });
  await normal.subscribe('normal');
  const before = heapBytes();
  const connections = PACKETS / PACKETS_EACH;
  let begun = 0;
  let served = 0;
  const work = async () => {
    while (begun < connections) {
      const seed = ++begun;
      const random = generator(seed);
      const sent = conversation(random);
      if (seed % LEAST_WS === 0) await overWebSocket(ws.url, sent);
      else await overTcp(tcp.port, sent, random);
      if (seed % 100 !== 0) continue;
      normal.publish({ topic: 'normal', payload: `${seed}`, qos: 1 });
      served++;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const got = (await normal.sync()).filter(({ cmd }) => cmd === 'publish' || cmd === 'puback');
  assert.equal(got.length, served * 2, 'the normal client was served throughout');
  assert.deepEqual(
    log.lines.filter(({ level }) => level === 'error'),
    [],
  );
  // What breaks inside a handler ends the connection only: it would be seen here.
  const faults = audited.flatMap((one) => ('reason' in one ? [one.reason] : []));
  assert.deepEqual(
    faults.filter((text) => /undefined|null|not a function|not iterable|out of range|valid/i.test(text)),
    [],
  );
  assert.ok(faults.length > connections / 2, `${faults.length} were refused`);
  assert.ok(broker.stats.received > PACKETS / 20, `${broker.stats.received} messages were taken`);
  const growth = heapBytes() - before;
  assert.ok(growth < MOST_GROWTH, `${growth} bytes`);
});
