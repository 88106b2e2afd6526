/** SUBSCRIBE and UNSUBSCRIBE: options, topic filters, shared subscriptions, lengths (MQTT 5 sections 3.8 to 3.11). */
import { packet, properties, text } from '../raw-packet.js';
import { accepted, type Case, conforms, refused, VERSIONS, type Version } from './cases.js';

const MALFORMED = 0x81;
const PROTOCOL_ERROR = 0x82;
const nothing = Buffer.alloc(0);
const none = (version: Version) => (version === 5 ? properties() : nothing);
const ID = Buffer.of(0x12, 0x34);

function suback(version: Version, ...codes: number[]): Buffer {
  return packet(0x90, ID, none(version), ...codes);
}

/** UNSUBACK of MQTT 3 has no codes. */
function unsuback(version: Version, ...codes: number[]): Buffer {
  return packet(0xb0, ID, none(version), ...(version === 5 ? codes : []));
}

function subscribe(version: Version, ...filters: [string, number][]): Buffer {
  const parts = filters.flatMap(([filter, options]) => [text(filter), options]);
  return packet(0x82, ID, none(version), ...parts);
}

function unsubscribe(version: Version, ...filters: string[]): Buffer {
  return packet(0xa2, ID, none(version), ...filters.map(text));
}

function* optionCases(): Generator<Case> {
  for (const version of VERSIONS) {
    for (let options = 0; options < 256; options++) {
      const bytes = subscribe(version, ['unpublished', options]);
      const qos = options & 3;
      const fine = version === 5 ? options < 0x30 && qos < 3 : options < 3;
      const name = `options ${options.toString(2)}`;
      if (fine) yield accepted(name, version, bytes, suback(version, qos));
      else yield refused(name, version, bytes, MALFORMED);
    }
  }
}

const BAD_FILTERS = ['', 'a#', '#a', 'a/#/b', '#/', '##', 'a+', '+a', '++', 'a/b+/c', '+#', '/#/'];
const GOOD_FILTERS = ['#', '+', '/', '//', '+/+', 'a/+/b/#', '/#', '/+', ' ', '$a/#', 'ä/😀', '+/+/#'];

function* filterCases(): Generator<Case> {
  for (const version of VERSIONS) {
    for (const filter of BAD_FILTERS) {
      yield refused(`SUBSCRIBE ${filter}`, version, subscribe(version, [filter, 0]), MALFORMED);
      yield refused(`SUBSCRIBE x, ${filter}`, version, subscribe(version, ['x', 0], [filter, 0]), MALFORMED);
      yield refused(`SUBSCRIBE ${filter}, x`, version, subscribe(version, [filter, 0], ['x', 0]), MALFORMED);
      yield refused(`UNSUBSCRIBE ${filter}`, version, unsubscribe(version, filter), MALFORMED);
      yield refused(`UNSUBSCRIBE x, ${filter}`, version, unsubscribe(version, 'x', filter), MALFORMED);
    }
    for (const filter of GOOD_FILTERS) {
      yield accepted(`SUBSCRIBE ${filter}`, version, subscribe(version, [filter, 1]), suback(version, 1));
      yield accepted(`UNSUBSCRIBE ${filter}`, version, unsubscribe(version, filter), unsuback(version, 0x11));
      yield {
        name: `SUBSCRIBE and UNSUBSCRIBE ${filter}, MQTT ${version}`,
        connect: version,
        send: [subscribe(version, [filter, 2], ['x', 0]), unsubscribe(version, 'y', filter, filter)],
        answer: Buffer.concat([suback(version, 2, 0), unsuback(version, 0x11, 0, 0x11)]),
        stays: true,
      };
    }
    const deep = '/'.repeat(10);
    const code = version === 5 ? 0x8f : 0x80;
    const bytes = subscribe(version, [deep, 0], ['x', 0]);
    yield accepted('SUBSCRIBE too many levels', version, bytes, suback(version, code, 0));
  }
}

function* sharedCases(): Generator<Case> {
  for (const version of VERSIONS) {
    for (const filter of ['$share/+/p', '$share/p', '$share/p/', '$share//p', '$share/', '$share//']) {
      yield refused(`SUBSCRIBE ${filter}`, version, subscribe(version, [filter, 0]), PROTOCOL_ERROR);
    }
    for (const filter of ['$share/#/p', '$share/a+/p', '$share/a#/p', '$share/a/b#', '$share/a/#/b']) {
      yield refused(`SUBSCRIBE ${filter}`, version, subscribe(version, [filter, 0]), MALFORMED);
    }
  }
  yield refused('SUBSCRIBE shared, no local', 5, subscribe(5, ['$share/p/p', 4]), PROTOCOL_ERROR);
}

/** Cut short at every byte, with the remaining length that it has then, and longer than what is in it. */
function* lengthCases(): Generator<Case> {
  for (const version of VERSIONS) {
    for (const [name, whole, ends] of [
      ['SUBSCRIBE', subscribe(version, ['a', 0], ['bc', 1]), [4]],
      ['UNSUBSCRIBE', unsubscribe(version, 'a', 'bc'), [3]],
    ] as const) {
      const head = 4 + none(version).length;
      for (let length = 2; length < whole.length; length++) {
        // There it is whole again, with one filter less.
        if (ends.some((end) => length === head + end)) continue;
        const cut = Buffer.from(whole.subarray(0, length));
        cut[1] = length - 2;
        yield refused(`${name}, ${length} bytes`, version, cut, MALFORMED);
      }
      const long = Buffer.concat([whole, Buffer.of(0)]);
      long[1]++;
      yield refused(`${name} with a byte too many`, version, long, MALFORMED);
      const zero = Buffer.from(whole);
      zero.fill(0, 2, 4);
      yield refused(`${name} with identifier 0`, version, zero, MALFORMED);
    }
  }
}

/** What was begun before UNSUBSCRIBE is completed [MQTT-3.10.4-3], and nothing comes after it [MQTT-3.10.4-2]. */
function* unsubscribedCases(): Generator<Case> {
  for (const version of VERSIONS) {
    const topic = `begun/${version}`;
    const publish = (id: number) => packet(0x34, text(topic), 0, id, none(version), 'x');
    const pubrec = (id: number) => Buffer.of(0x50, 2, 0, id);
    yield {
      name: `UNSUBSCRIBE in the middle, MQTT ${version}`,
      connect: version,
      send: [
        subscribe(version, [topic, 2]),
        publish(9),
        unsubscribe(version, topic),
        publish(8),
        pubrec(1),
        Buffer.of(0x70, 2, 0, 1),
      ],
      answer: Buffer.concat([
        suback(version, 2),
        publish(1),
        pubrec(9),
        unsuback(version, 0),
        pubrec(8),
        Buffer.of(0x62, 2, 0, 1),
      ]),
      stays: true,
    };
  }
}

conforms('subscription options', [...optionCases()]);
conforms('topic filters', [...filterCases()], { limits: { topicLevels: 10 } });
conforms('shared subscriptions', [...sharedCases()]);
conforms('UNSUBSCRIBE in the middle', [...unsubscribedCases()]);
conforms('the length of SUBSCRIBE and UNSUBSCRIBE', [...lengthCases()]);
