/** Why a packet must not be handled. */
export interface PacketFault {
  readonly text: string;
  /** MQTT 5 reason code; null: the connection is closed without a word. */
  readonly reason: number | null;
}

export const MALFORMED_PACKET = 0x81;
export const PROTOCOL_ERROR = 0x82;
export const UNSUPPORTED_PROTOCOL_VERSION = 0x84;
export const CLIENT_IDENTIFIER_NOT_VALID = 0x85;
export const TOPIC_NAME_INVALID = 0x90;
export const RECEIVE_MAXIMUM_EXCEEDED = 0x93;
export const TOPIC_ALIAS_INVALID = 0x94;
export const PACKET_TOO_LARGE = 0x95;
export const PAYLOAD_FORMAT_INVALID = 0x99;

/** It cannot be read. */
export function malformed(text: string): PacketFault {
  return { text, reason: MALFORMED_PACKET };
}

/** It can be read, and is not allowed here. */
export function protocolError(text: string): PacketFault {
  return { text, reason: PROTOCOL_ERROR };
}

/** What the bytes say of themselves cannot be: nothing else that they say is answered. */
export function unreadable(text: string): PacketFault {
  return { text, reason: null };
}
