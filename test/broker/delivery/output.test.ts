import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as turnOver } from 'node:timers/promises';
import { Message } from '../../../src/broker/delivery/message.js';
import { Output } from '../../../src/broker/delivery/output.js';
import { TopicTable } from '../../../src/broker/delivery/topic-table.js';
import { Turn } from '../../../src/broker/delivery/turn.js';
import { variantOf } from '../../../src/broker/delivery/variant.js';
import { FrameReader } from '../../../src/broker/reading/frame-reader.js';
import { PublishReader } from '../../../src/broker/reading/publish-reader.js';
import { BrokerStats } from '../../../src/broker/stats.js';
import { generator } from '../../catalog/generator.js';

/** A connection that looks at what it was given only when it has taken it: until then the bytes must not change. */
class SlowConn extends Duplex {
  readonly taken: Buffer[] = [];
  /** How often it was written to. */
  writes = 0;
  /** Takes what it is given at once. */
  fast = true;
  #waiting: { chunks: Buffer[]; done: () => void } | null = null;

  constructor() {
    super({ highWaterMark: 16_384 });
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#given([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#given(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  proceed(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    this.taken.push(...(waiting?.chunks ?? []).map((chunk) => Buffer.from(chunk)));
    waiting?.done();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.taken);
  }

  #given(chunks: Buffer[], done: () => void): void {
    this.writes++;
    this.#waiting = { chunks, done };
    if (this.fast) this.proceed();
  }
}

const topics = new TopicTable(10);

/** A chunk as it is read, with messages in it. */
function chunkOf(random: () => number, count: number, mostBytes: number): Message[] {
  const packets = Array.from({ length: count }, (_, n) => {
    const payload = Buffer.alloc(Math.floor(random() * mostBytes), Math.floor(random() * 256));
    const remaining = 3 + 2 + payload.length;
    const head = [0x32, (remaining & 0x7f) | 0x80, ((remaining >> 7) & 0x7f) | 0x80, remaining >> 14];
    return Buffer.concat([Buffer.from(head), Buffer.from([0, 1, 97, 0, n + 1]), payload]);
  });
  const frames = new FrameReader(2_000_000);
  frames.feed(Buffer.from(new Uint8Array(Buffer.concat(packets)).buffer));
  const reader = new PublishReader(topics);
  const messages: Message[] = [];
  while (frames.next()) messages.push(reader.read(frames, false)!);
  return messages;
}

function bytesOf(message: Message, qos: 0 | 1, id: number, again: boolean, version5 = false): Buffer {
  const frame = message.frame(variantOf(version5, qos, false, null));
  const head = Buffer.from(frame.head.subarray(frame.start, frame.headEnd));
  if (qos > 0) head.writeUInt16BE(id, frame.idAt - frame.start);
  if (again) head[0] |= 8;
  return Buffer.concat([head, frame.payloadBuffer.subarray(frame.payloadAt, frame.payloadEnd)]);
}

for (const seed of [1, 2, 3, 4]) {
  test(`everything goes out as it is and in order, at whatever pace it is taken; seed ${seed}`, async () => {
    const random = generator(seed);
    const conn = new SlowConn();
    const output = new Output(conn, new Turn(), new BrokerStats());
    const expected: Buffer[] = [];
    for (let step = 0; step < 3000; step++) {
      const what = random();
      if (what < 0.3) {
        const chunk = chunkOf(random, 1 + Math.floor(random() * 12), random() < 0.1 ? 60_000 : 400);
        for (const message of chunk) {
          if (random() < 0.1) continue;
          const qos = random() < 0.5 ? 0 : 1;
          const id = 1 + Math.floor(random() * 65_535);
          const again = qos === 1 && random() < 0.1;
          expected.push(bytesOf(message, qos, id, again));
          const frame = message.frame(variantOf(false, qos, false, null));
          if (qos === 0) output.publish(frame);
          else output.publishAs(frame, id, again);
        }
      } else if (what < 0.6) {
        const id = 1 + Math.floor(random() * 65_535);
        const reason = random() < 0.5 ? 0 : 0x92;
        output.acknowledge(0x40, id, reason);
        const [high, low] = [id >> 8, id & 0xff];
        expected.push(reason === 0 ? Buffer.of(0x40, 2, high, low) : Buffer.of(0x40, 3, high, low, reason));
      } else if (what < 0.65) {
        const packet = Buffer.from([0xd0, 0]);
        // As aedes writes.
        conn.write(packet);
        expected.push(packet);
      } else if (what < 0.7) {
        output.packet(Buffer.from([0x90, 1, 7]));
        expected.push(Buffer.from([0x90, 1, 7]));
      } else if (what < 0.85) {
        await turnOver();
      } else if (what < 0.9) {
        conn.fast = random() < 0.5;
      } else {
        conn.proceed();
      }
    }
    conn.fast = true;
    do {
      await turnOver();
      conn.proceed();
    } while (output.pendingBytes > 0);
    assert.ok(conn.bytes.equals(Buffer.concat(expected)));
  });
}

test('what is written in one turn leaves with one write, frames in a row as one piece of what was read', async () => {
  const conn = new SlowConn();
  const output = new Output(conn, new Turn(), new BrokerStats());
  const messages = chunkOf(generator(1), 20, 400);
  for (const message of messages) output.publish(message.frame(variantOf(false, 1, false, null)));
  assert.equal(conn.writes, 0);
  await turnOver();
  assert.equal(conn.writes, 1);
  assert.equal(conn.taken.length, 1);
  for (let id = 1; id <= 100; id++) output.acknowledge(0x40, id, 0);
  output.publish(messages[3].frame(variantOf(false, 1, false, null)));
  await turnOver();
  assert.equal(conn.writes, 2);
  assert.equal(output.pendingBytes, 0);
});

test('much is written before the turn ends', () => {
  const conn = new SlowConn();
  const output = new Output(conn, new Turn(), new BrokerStats());
  for (let id = 1; id <= 16_384; id++) output.acknowledge(0x40, id, 0);
  assert.ok(conn.bytes.length >= 65_536);
});

test('small pieces of large chunks are copied: what waits keeps alive at most twice of what it says', async () => {
  const conn = new SlowConn();
  conn.fast = false;
  const output = new Output(conn, new Turn(), new BrokerStats());
  let kept = 0;
  const seen = new Set<ArrayBufferLike>();
  const given = conn._writev.bind(conn);
  const count = (chunk: Buffer) => {
    if (!seen.has(chunk.buffer)) kept += chunk.buffer.byteLength;
    seen.add(chunk.buffer);
  };
  conn._writev = (chunks, done) => {
    for (const { chunk } of chunks) count(chunk);
    given(chunks, done);
  };
  const random = generator(9);
  for (let i = 0; i < 300; i++) {
    const chunk = chunkOf(random, 12, 40_000);
    output.publish(chunk[Math.floor(random() * 12)].frame(variantOf(false, 0, false, null)));
    await turnOver();
  }
  const pending = output.pendingBytes;
  while (output.pendingBytes > 0) {
    conn.proceed();
    await turnOver();
  }
  assert.ok(kept <= pending * 2 + 32_768, `${kept} for ${pending}`);
});

test('heads longer than the buffer, and what is serialised anew, go out whole', async () => {
  for (const topic of ['t', 't'.repeat(20_000), 't'.repeat(65_000)]) {
    for (const bytes of [0, 10, 5000, 100_000]) {
      const conn = new SlowConn();
      const output = new Output(conn, new Turn(), new BrokerStats());
      const payload = Buffer.alloc(bytes, 'p');
      const packet = { cmd: 'publish', topic, payload, qos: 2, retain: false, dup: false } as const;
      const message = Message.of(topics.named(topic), packet, 0);
      const variant = variantOf(true, 1, false, null);
      output.acknowledge(0x40, 1, 0);
      output.publishAs(message.frame(variant), 0x0102, true);
      output.publish(message.frame(variantOf(true, 0, false, null)));
      output.acknowledge(0x40, 2, 0);
      await turnOver();
      const frame = message.frame(variantOf(true, 0, false, null));
      const expected = Buffer.concat([
        Buffer.of(0x40, 2, 0, 1),
        bytesOf(message, 1, 0x0102, true, true),
        frame.head,
        payload,
        Buffer.of(0x40, 2, 0, 2),
      ]);
      assert.ok(conn.bytes.equals(expected), `${topic.length} ${bytes}`);
    }
  }
});

test('a connection that ends takes what waits with it, one that is gone is not written to', async () => {
  for (const end of ['end', 'destroy'] as const) {
    const conn = new SlowConn();
    const output = new Output(conn, new Turn(), new BrokerStats());
    output.acknowledge(0x40, 1, 0);
    conn[end]();
    assert.deepEqual([...conn.bytes], [0x40, 2, 0, 1]);
    output.acknowledge(0x40, 2, 0);
    await turnOver();
    assert.equal(conn.bytes.length, 4);
    conn.destroy();
  }
});
