import type { Connection } from '../connection.js';
import { PUBACK, PUBCOMP, PUBREC } from '../delivery/inflight.js';
import { protocolError } from '../packet-fault.js';

/** Packet types. */
const TYPE_PUBACK = 4;
const TYPE_PUBREC = 5;
const TYPE_PUBREL = 6;
/** Its first byte. */
const SEND_PUBCOMP = 0x70;

const MISFIT = protocolError('an acknowledgement does not fit the QoS of its message (MQTT 5 section 4.3)');

/**
 * PUBACK, PUBREC, PUBREL or PUBCOMP, by the first byte of the packet. An identifier that is not in use is no fault: what it
 * stood for was over before the connection broke, and the client does not know.
 */
export function handleAcknowledgement(
  connection: Connection,
  first: number,
  id: number,
  reason: number,
): void {
  const { outbox } = connection;
  const session = connection.session!;
  const type = first >> 4;
  if (type === TYPE_PUBREL) {
    // The packet identifier is free again [MQTT-4.3.3-11].
    connection.answers.acknowledge(
      SEND_PUBCOMP,
      id,
      0,
      session.received.has(id) ? session.release(id) : null,
    );
  } else if (type === TYPE_PUBREC && reason < 0x80) {
    if (outbox?.received(id) === false) connection.refuse(MISFIT);
  } else {
    // The client has the message. A PUBREC with an error ends the exchange, too [MQTT-4.3.3-4].
    const by = type === TYPE_PUBACK ? PUBACK : type === TYPE_PUBREC ? PUBREC : PUBCOMP;
    if (outbox?.acknowledged(id, by) === false) connection.refuse(MISFIT);
  }
}
