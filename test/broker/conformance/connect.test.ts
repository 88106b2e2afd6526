/** CONNECT: protocol name and level, flags, client identifier, will, user name, password (MQTT 5 section 3.1). */
import { packet, properties, text } from '../raw-packet.js';
import {
  acceptedConnect,
  type Case,
  clientId,
  conforms,
  refusedConnect,
  VERSIONS,
  type Version,
} from './cases.js';

const UNSUPPORTED = 0x84;
const nothing = Buffer.alloc(0);

function nameOf(version: number): Buffer {
  return text(version === 3 ? 'MQIsdp' : 'MQTT');
}

/** With everything in the payload that the flags promise. */
function withFlags(version: Version, flags: number, first = 0x10): Buffer {
  const none = version === 5 ? properties() : nothing;
  const will = (flags & 4) !== 0 ? Buffer.concat([none, text('w'), text('x')]) : nothing;
  const user = (flags & 0x80) !== 0 ? text('u') : nothing;
  const password = (flags & 0x40) !== 0 ? text('p') : nothing;
  return packet(first, nameOf(version), version, flags, 0, 10, none, clientId(), will, user, password);
}

function isAllowed(version: Version, flags: number): boolean {
  if (version > 3 && (flags & 1) !== 0) return false;
  const willQos = (flags >> 3) & 3;
  if (willQos === 3) return false;
  if ((flags & 4) === 0 && (flags & 0x38) !== 0) return false;
  return version === 5 || (flags & 0xc0) !== 0x40;
}

function* flagCases(): Generator<Case> {
  for (const version of VERSIONS) {
    for (let flags = 0; flags < 256; flags++) {
      const connect = withFlags(version, flags);
      const name = `flags ${flags.toString(2)}, MQTT ${version}`;
      yield isAllowed(version, flags) ? acceptedConnect(name, connect) : refusedConnect(name, connect, null);
    }
    for (let reserved = 1; reserved < 16; reserved++) {
      const connect = withFlags(version, 2, 0x10 | reserved);
      const name = `first byte ${(0x10 | reserved).toString(16)}, MQTT ${version}`;
      yield version === 3 ? acceptedConnect(name, connect) : refusedConnect(name, connect, null);
    }
  }
}

function* protocolCases(): Generator<Case> {
  const connect = (name: Buffer, level: number) =>
    packet(0x10, name, level, 2, 0, 10, level === 5 ? properties() : nothing, clientId());
  for (const name of [
    '',
    'M',
    'MQT',
    'MQTU',
    'mqtt',
    'MQTTT',
    'MQISDP',
    'MQIsd',
    'MQIsdpp',
    'HTTP',
    'MQTT\0',
  ]) {
    for (const level of [3, 4, 5]) {
      yield refusedConnect(`protocol ${name} ${level}`, connect(text(name), level), null);
    }
  }
  // mosquitto's bridges set the highest bit of MQTT 3.
  const known: Readonly<Record<string, readonly number[]>> = { MQTT: [4, 5, 0x84], MQIsdp: [3, 0x83] };
  for (const [name, levels] of Object.entries(known)) {
    for (let level = 0; level < 256; level++) {
      const one = connect(text(name), level);
      const title = `protocol ${name} ${level}`;
      yield levels.includes(level) ? acceptedConnect(title, one) : refusedConnect(title, one, UNSUPPORTED);
    }
  }
}

/** Cut short at every byte, with the remaining length that it has then, and longer than what is in it. */
function* lengthCases(): Generator<Case> {
  for (const version of VERSIONS) {
    for (const flags of [2, 6, 0x82, 0xc2, 0xf6]) {
      const whole = withFlags(version, flags);
      const name = `flags ${flags.toString(2)}, MQTT ${version}`;
      for (let length = 2; length < whole.length; length++) {
        const cut = Buffer.from(whole.subarray(0, length));
        cut[1] = length - 2;
        yield cutCase(`${length} bytes, ${name}`, version, flags, whole, cut);
      }
      for (const extra of [Buffer.of(0), text('q')]) {
        const long = Buffer.concat([whole, extra]);
        long[1] += extra.length;
        yield refusedConnect(`${extra.length} bytes too many, ${name}`, long, version === 5 ? 0x81 : null);
      }
    }
  }
}

/** MQTT 3.1 lets user name and password be missing; MQTT 5 is told where properties or the client identifier end too early. */
function cutCase(name: string, version: Version, flags: number, whole: Buffer, cut: Buffer): Case {
  const end = cut.length;
  const head = 2 + nameOf(version).length + 4;
  const idEnd = head + (version === 5 ? 1 : 0) + 2 + whole[head + (version === 5 ? 2 : 1)];
  if (version === 3) {
    const password = (flags & 0x40) !== 0 ? 3 : 0;
    const user = (flags & 0x80) !== 0 ? 3 : 0;
    if (end === whole.length - password || end === whole.length - password - user) {
      return acceptedConnect(name, cut);
    }
  }
  if (version < 5) return refusedConnect(name, cut, null);
  if (end === head) return refusedConnect(name, cut, 0x81);
  if (end > head && end < idEnd) return refusedConnect(name, cut, 0x85);
  // The properties of the will are one byte.
  if ((flags & 4) !== 0 && end === idEnd) return refusedConnect(name, cut, 0x81);
  return refusedConnect(name, cut, null);
}

function identifierRejected(name: string, connect: Buffer): Case {
  return { name, connect, letIn: false, send: [], answer: Buffer.of(0x20, 2, 0, 2), stays: false };
}

function* identifierCases(): Generator<Case> {
  const empty = (version: Version, flags: number) =>
    packet(0x10, nameOf(version), version, flags, 0, 10, version === 5 ? properties() : nothing, text(''));
  yield identifierRejected('no identifier, MQTT 3.1, clean', empty(3, 2));
  yield identifierRejected('no identifier, MQTT 3.1', empty(3, 0));
  yield acceptedConnect('no identifier, MQTT 3.1.1, clean', empty(4, 2));
  yield identifierRejected('no identifier, MQTT 3.1.1', empty(4, 0));
  yield acceptedConnect('no identifier, MQTT 5, clean', empty(5, 2));
  yield acceptedConnect('no identifier, MQTT 5', empty(5, 0));
}

function* willCases(): Generator<Case> {
  const will = (version: Version, topic: string) => {
    const none = version === 5 ? properties() : nothing;
    return packet(0x10, nameOf(version), version, 6, 0, 0, none, clientId(), none, text(topic), text('x'));
  };
  for (const version of VERSIONS) {
    for (const topic of ['', '#', '+', 'a/#', 'a/+/b', 'a+', '#a', '/'.repeat(20)]) {
      const name = `a will on ${topic}, MQTT ${version}`;
      const reason = topic === '' ? 0x82 : 0x90;
      yield refusedConnect(name, will(version, topic), version === 5 ? reason : null);
    }
    for (const topic of ['a', '/', ' ', '$a', 'a/$share/b', '/'.repeat(9)]) {
      yield acceptedConnect(`a will on ${topic}, MQTT ${version}`, will(version, topic));
    }
  }
}

function* onceCases(): Generator<Case> {
  for (const version of VERSIONS) {
    const second = withFlags(version, 2);
    yield {
      name: `a second CONNECT, MQTT ${version}`,
      connect: version,
      send: [second],
      answer: version === 5 ? Buffer.of(0xe0, 1, 0x82) : nothing,
      stays: false,
    };
  }
}

conforms('flags of CONNECT', [...flagCases()]);
conforms('protocol names and levels', [...protocolCases()]);
conforms('the length of CONNECT', [...lengthCases()]);
conforms('client identifiers', [...identifierCases()]);
conforms('topics of wills', [...willCases()], { limits: { topicLevels: 10 } });
conforms('CONNECT once', [...onceCases()]);
