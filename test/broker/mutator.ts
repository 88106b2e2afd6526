/** Packets that are almost right, from packets that are. */
import mqttPacket, { type Packet } from 'mqtt-packet';

type Random = () => number;
type Version = 3 | 4 | 5;

const TOPICS = ['a', 'a/b', 'ä/€', '$share/g/a', '$STREAM/search', '#', '+/b', '__proto__'];
const LENGTHS = [0, 1, 2, 0x7f, 0x80, 0xff];

/** One of `values`. */
function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)];
}

/** A valid CONNECT, of one of a few clients that take each other's place. */
export function connectBytes(random: Random, version: Version): Buffer {
  const will = { topic: 'will', payload: Buffer.from('gone'), qos: 1 as const, retain: false };
  return encode(version, {
    cmd: 'connect',
    protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
    protocolVersion: version,
    clientId: `fuzz-${Math.floor(random() * 20)}`,
    clean: random() < 0.5,
    keepalive: 60,
    ...(random() < 0.3 ? { will } : {}),
    ...(random() < 0.2 ? { username: 'u', password: Buffer.from('p') } : {}),
    ...(version === 5 && random() < 0.5
      ? { properties: { sessionExpiryInterval: 1, receiveMaximum: 3 } }
      : {}),
  });
}

/** A valid packet that a client may send after CONNECT. */
export function packetBytes(random: Random, version: Version): Buffer {
  const messageId = 1 + Math.floor(random() * 10);
  const topic = pick(random, TOPICS);
  const qos = Math.floor(random() * 3) as 0 | 1 | 2;
  const acknowledgement = pick(random, ['puback', 'pubrec', 'pubrel', 'pubcomp'] as const);
  const options = version === 5 ? { nl: false, rap: random() < 0.5, rh: 1 } : {};
  const kinds: (() => Packet)[] = [
    () => ({
      cmd: 'publish',
      topic: topic.includes('#') || topic.includes('+') ? 'a' : topic,
      payload: Buffer.alloc(Math.floor(random() * 40), 120),
      qos,
      dup: false,
      retain: random() < 0.2,
      ...(qos > 0 ? { messageId } : {}),
      ...(version === 5 && random() < 0.5 ? { properties: publishProperties(random) } : {}),
    }),
    () => ({
      cmd: 'subscribe',
      messageId,
      subscriptions: [{ topic: pick(random, TOPICS), qos, ...options }],
    }),
    () => ({ cmd: 'unsubscribe', messageId, unsubscriptions: [topic, 'a'] }),
    // Of what was never sent: what fits nothing would end the connection.
    () => ({ cmd: acknowledgement, messageId: 1000 + messageId }),
    () => ({ cmd: 'pingreq' }),
  ];
  return encode(version, pick(random, kinds)());
}

function publishProperties(random: Random): object {
  return {
    payloadFormatIndicator: random() < 0.5,
    messageExpiryInterval: Math.floor(random() * 3),
    topicAlias: 1 + Math.floor(random() * 10),
    responseTopic: 'answer',
    correlationData: Buffer.of(1, 2, 3),
    contentType: 'text/plain',
    userProperties: { a: ['1', '2'], ['__proto__']: 'x' },
  };
}

function encode(version: Version, packet: Packet): Buffer {
  return mqttPacket.generate(packet, { protocolVersion: version });
}

/** Changes one to three things of a packet. */
export function mutate(random: Random, bytes: Buffer): Buffer {
  let mutant: Buffer = Buffer.from(bytes);
  for (let times = 1 + Math.floor(random() * 3); times > 0; times--) mutant = change(random, mutant);
  return mutant;
}

function change(random: Random, bytes: Buffer): Buffer {
  const at = Math.floor(random() * bytes.length);
  const to = Math.min(bytes.length, at + 1 + Math.floor(random() * 4));
  const head = bytes.subarray(0, at);
  const middle = bytes.subarray(at, to);
  const tail = bytes.subarray(to);
  switch (Math.floor(random() * 7)) {
    case 0:
      if (bytes.length > 0) bytes[at] ^= 1 << Math.floor(random() * 8);
      return bytes;
    case 1:
      if (bytes.length > 0) bytes[at] = pick(random, LENGTHS);
      return bytes;
    case 2:
      return lengthened(Buffer.concat([head, tail]));
    case 3:
      return lengthened(Buffer.concat([head, middle, middle, tail]));
    case 4:
      return lengthened(Buffer.concat([head, Buffer.of(Math.floor(random() * 256)), middle, tail]));
    case 5:
      return lengthened(Buffer.from(head));
    default:
      return Buffer.concat([head, tail]);
  }
}

/** With the remaining length that it has, so that what is wrong is found inside. */
function lengthened(bytes: Buffer): Buffer {
  if (bytes.length >= 2 && bytes.length < 130) bytes[1] = bytes.length - 2;
  return bytes;
}

/** Bytes that mean nothing. */
export function noise(random: Random, most: number): Buffer {
  return Buffer.from(Array.from({ length: Math.floor(random() * most) }, () => Math.floor(random() * 256)));
}
