/** DISCONNECT and PINGREQ (MQTT 5 sections 3.12 to 3.14). */
import { packet, properties, text } from '../raw-packet.js';
import { accepted, type Case, clientId, conforms, disconnect, refused, VERSIONS } from './cases.js';

const MALFORMED = 0x81;
const PROTOCOL_ERROR = 0x82;
const nothing = Buffer.alloc(0);

/** Whatever its reason, the client goes, and gets no answer. */
function* reasonCases(): Generator<Case> {
  for (const version of VERSIONS) yield refused('DISCONNECT', version, packet(0xe0), null);
  for (let code = 0; code < 256; code++) {
    yield refused(`DISCONNECT with code ${code.toString(16)}`, 5, packet(0xe0, code), null);
    const whole = packet(0xe0, code, properties());
    yield refused(`DISCONNECT with code ${code.toString(16)} and properties`, 5, whole, null);
  }
  yield refused('DISCONNECT with a byte too many', 5, packet(0xe0, 0, properties(), 0), MALFORMED);
  for (const version of [3, 4] as const) {
    yield refused('DISCONNECT with a reason', version, packet(0xe0, 0), null);
  }
}

/** What follows DISCONNECT is not handled [MQTT-3.14.4-1]. */
function* lastCases(): Generator<Case> {
  for (const version of VERSIONS) {
    const after = packet(0xc0);
    yield {
      name: `PINGREQ behind DISCONNECT, MQTT ${version}`,
      connect: version,
      send: [Buffer.concat([packet(0xe0), after])],
      answer: nothing,
      stays: false,
    };
    yield accepted('PINGREQ', version, packet(0xc0), Buffer.of(0xd0, 0));
  }
}

/** A session that was to end with the connection cannot be prolonged (section 3.14.2.2.2). */
function* expiryCases(): Generator<Case> {
  const expiry = (seconds: number) => properties(0x11, 0, 0, 0, seconds);
  const connect = (props: Buffer) => packet(0x10, text('MQTT'), 5, 2, 0, 0, props, clientId());
  for (const [asked, seconds, fine] of [
    [null, 0, true],
    [null, 1, false],
    [0, 0, true],
    [0, 1, false],
    [1, 0, true],
    [1, 2, true],
  ] as const) {
    yield {
      name: `Session Expiry Interval ${seconds} behind ${asked}`,
      connect: connect(asked === null ? properties() : expiry(asked)),
      send: [packet(0xe0, 0, expiry(seconds))],
      answer: fine ? nothing : disconnect(PROTOCOL_ERROR),
      stays: false,
    };
  }
}

conforms('reasons of DISCONNECT', [...reasonCases()]);
conforms('after DISCONNECT', [...lastCases()]);
conforms('session expiry', [...expiryCases()]);
