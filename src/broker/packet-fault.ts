/** Why a packet must not be handled. */
export interface PacketFault {
  readonly text: string;
  /** MQTT 5 reason code. */
  readonly reason: number;
}

export const MALFORMED_PACKET = 0x81;
export const PROTOCOL_ERROR = 0x82;
export const TOPIC_NAME_INVALID = 0x90;
