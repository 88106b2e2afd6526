import type { Connection } from '../connection.js';

const PUBREC = 5;
const PUBREL = 6;
const PACKET_IDENTIFIER_NOT_FOUND = 0x92;

/** PUBACK, PUBREC, PUBREL or PUBCOMP, by the first byte of the packet. */
export function handleAcknowledgement(
  connection: Connection,
  first: number,
  id: number,
  reason: number,
): void {
  const { outbox, session } = connection;
  const type = first >> 4;
  if (type === PUBREL) {
    // The packet identifier is free again [MQTT-4.3.3-11].
    answer(connection, 0x70, id, session?.received.delete(id) === true);
  } else if (type === PUBREC && reason < 0x80) {
    answer(connection, 0x62, id, outbox?.received(id) === true);
  } else {
    // The client has the message. A PUBREC with an error ends the exchange, too [MQTT-4.3.3-4].
    outbox?.acknowledged(id);
  }
}

/** PUBREL or PUBCOMP, by its first byte. */
function answer({ client, output }: Connection, first: number, id: number, known: boolean): void {
  output.acknowledge(first, id, known || client.version !== 5 ? 0 : PACKET_IDENTIFIER_NOT_FOUND);
}
