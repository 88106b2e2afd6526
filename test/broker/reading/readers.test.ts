/** The readers of packets against mqtt-packet: what we accept it reads the same, and broken packets make nothing throw. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import mqttPacket, { type Packet } from 'mqtt-packet';
import { TopicTable } from '../../../src/broker/delivery/topic-table.js';
import { readAcknowledgement } from '../../../src/broker/reading/acknowledgement-reader.js';
import { readConnect } from '../../../src/broker/reading/connect-reader.js';
import { Fields } from '../../../src/broker/reading/fields.js';
import { FrameReader } from '../../../src/broker/reading/frame-reader.js';
import { isAcknowledgement, readPacket } from '../../../src/broker/reading/packet-reader.js';
import { PublishReader } from '../../../src/broker/reading/publish-reader.js';
import { generator } from '../../catalog/generator.js';
import { LIMITS } from '../fixture.js';
import { connectBytes, mutate, noise, packetBytes } from '../mutator.js';

type Version = 3 | 4 | 5;

const PACKETS = 40_000;

/** The first packet in `bytes`, or null. */
function frameOf(bytes: Buffer): FrameReader | null {
  const frames = new FrameReader(100_000);
  frames.feed(bytes);
  return frames.next() ? frames : null;
}

/** What we make of one packet; null: a fault. */
function ours(frames: FrameReader, version: Version): object | null {
  const { bytes, start, body, end } = frames;
  const first = bytes[start];
  const fields = new Fields().open(bytes, body, end);
  if (first >> 4 === 3) {
    const message = new PublishReader(new TopicTable(100), LIMITS).read(frames, version === 5);
    if (message === null) return null;
    const { topic, payload, qos, retain, id, properties } = message;
    return { cmd: 'publish', topic, payload, qos, retain, messageId: id > 0 ? id : undefined, properties };
  }
  if (isAcknowledgement(first)) {
    const { id, reason } = readAcknowledgement(first, fields, version === 5);
    const cmd = ['puback', 'pubrec', 'pubrel', 'pubcomp'][(first >> 4) - 4];
    return fields.fault === null ? { cmd, messageId: id, reasonCode: reason } : null;
  }
  const packet =
    first >> 4 === 1 ? readConnect(first, fields, 100) : readPacket(first, fields, version === 5);
  assert.equal(packet === null && fields.fault === null, false);
  return fields.fault === null ? packet : null;
}

/** null: MQTT 3.1 lets a password be missing and says nothing of reserved bits, mqtt-packet does not. */
function theirs(bytes: Buffer, version: Version): Packet | null {
  const parser = mqttPacket.parser({ protocolVersion: version });
  const packets: Packet[] = [];
  parser.on('packet', (packet) => packets.push(packet));
  parser.on('error', (error: Error) => assert.equal(version, 3, error.message));
  parser.parse(bytes);
  return packets[0] ?? null;
}

/** Without what only one of both tells. */
function plain(packet: object): unknown {
  const { length, dup, reasonCode, protocolId, bridgeMode, ...rest } = packet as Record<string, unknown>;
  if (rest.cmd !== 'publish') for (const name of ['topic', 'payload', 'qos', 'retain']) delete rest[name];
  if (rest.cmd === 'connect') {
    rest.username = rest.username === undefined ? undefined : String(rest.username);
    rest.password = rest.password === undefined ? undefined : String(rest.password);
  }
  return JSON.parse(JSON.stringify({ ...rest, code: reasonCode ?? 0 }));
}

for (const version of [3, 4, 5] as const) {
  test(`what is accepted of ${PACKETS} packets is what mqtt-packet reads, MQTT ${version}`, () => {
    const random = generator(version);
    let accepted = 0;
    let refused = 0;
    for (let i = 0; i < PACKETS; i++) {
      const whole = random() < 0.2 ? connectBytes(random, version) : packetBytes(random, version);
      const kind = random();
      const bytes = kind < 0.02 ? noise(random, 50) : kind < 0.9 ? mutate(random, whole) : whole;
      const frame = frameOf(bytes);
      const packet = frame === null ? null : ours(frame, version);
      if (frame === null || packet === null) {
        refused++;
        continue;
      }
      accepted++;
      const own = (packet as { protocolVersion?: Version }).protocolVersion ?? version;
      const expected = theirs(bytes.subarray(0, frame.end), own);
      if (expected !== null)
        assert.deepEqual(plain(packet), plain(expected), `${i}: ${bytes.toString('hex')}`);
    }
    assert.ok(accepted > PACKETS / 10 && refused > PACKETS / 10, `${accepted} accepted, ${refused} refused`);
  });
}
