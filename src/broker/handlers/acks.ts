import type { Connection } from '../connection.js';

const PUBREC = 5;
const PUBREL = 6;
/** Its first byte. */
const PUBCOMP = 0x70;
const PACKET_IDENTIFIER_NOT_FOUND = 0x92;

/** PUBACK, PUBREC, PUBREL or PUBCOMP, by the first byte of the packet. */
export function handleAcknowledgement(
  connection: Connection,
  first: number,
  id: number,
  reason: number,
): void {
  const { outbox, client } = connection;
  const session = connection.session!;
  const type = first >> 4;
  const unknown = client.version === 5 ? PACKET_IDENTIFIER_NOT_FOUND : 0;
  if (type === PUBREL) {
    // The packet identifier is free again [MQTT-4.3.3-11].
    if (session.received.has(id)) connection.answer(PUBCOMP, id, 0, session.release(id));
    else connection.answer(PUBCOMP, id, unknown, null);
  } else if (type === PUBREC && reason < 0x80) {
    if (outbox?.received(id) !== true) connection.output.acknowledge(0x62, id, unknown);
  } else {
    // The client has the message. A PUBREC with an error ends the exchange, too [MQTT-4.3.3-4].
    outbox?.acknowledged(id);
  }
}
