/** One client that sends without end, and the turns of the others. */
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as turnOver } from 'node:timers/promises';
import mqttPacket from 'mqtt-packet';
import { startBroker, until } from './fixture.js';

const KIB = 1024;
/** A client reads so much before it lets others go on. */
const A_TURN = 256 * KIB;

/** The broker's side of a connection, that brings what it is told to. */
class Conn extends Duplex {
  override _read(): void {}
  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done();
  }
}

test('what is there at once is read in turns of 256 KiB, whole and in order', async (t) => {
  const { broker } = await startBroker(t);
  const conn = new Conn();
  t.after(() => conn.destroy());
  broker.handle(conn);
  const connect = { cmd: 'connect', protocolVersion: 4, clientId: 'c', clean: true, keepalive: 0 } as const;
  conn.push(mqttPacket.generate(connect));
  await until(() => broker.sessions.get('c') !== undefined);
  const payloads: string[] = [];
  broker.subscribe('a', ({ payload }, done) => {
    payloads.push(payload.toString('latin1', 0, 4));
    done();
  });
  await turnOver();
  const message = (n: number) => {
    const payload = Buffer.alloc(16 * KIB - 6);
    payload.write(String(n).padStart(4, '0'));
    const packet = { cmd: 'publish', topic: 'a', payload, qos: 0, dup: false, retain: false } as const;
    return mqttPacket.generate(packet);
  };
  assert.equal(message(0).length, 16 * KIB);
  const sent = Array.from({ length: 100 }, (_, n) => message(n));
  for (const bytes of sent) conn.push(bytes);
  for (let turn = 1; payloads.length < sent.length; turn++) {
    assert.ok(payloads.length * 16 * KIB <= turn * A_TURN, `${payloads.length} in ${turn} turns`);
    assert.ok(turn <= sent.length);
    await turnOver();
  }
  assert.deepEqual(
    payloads,
    sent.map((_, n) => String(n).padStart(4, '0')),
  );
});
