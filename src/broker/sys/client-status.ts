import type { IConnectPacket } from 'mqtt-packet';
import { topicTail } from '../../topics.js';
import type { Identity } from '../access/access.js';

const TOPIC = '$SYS/brokers/client_status';

/** Tells who connects and disconnects: topic, keys and their order as NanoMQ has them. Codes are hexadecimal texts. */
export class ClientStatus {
  readonly #publish: (topic: string, json: string) => void;
  /** Wall time, ms. */
  readonly #now: () => number;

  constructor(publish: (topic: string, json: string) => void, now: () => number) {
    this.#publish = publish;
    this.#now = now;
  }

  online({ clientId, user, address }: Identity, packet: Omit<IConnectPacket, 'clientId' | 'cmd'>): void {
    const { protocolVersion: version = 4, keepalive = 0, clean = true } = packet;
    this.#tell(clientId, {
      status: 'online',
      username: user,
      ts: this.#now(),
      proto_name: version === 3 ? 'MQIsdp' : 'MQTT',
      keepalive,
      return_code: '0',
      proto_ver: version,
      client_id: clientId,
      clean_start: clean ? 1 : 0,
      IPv4: plainAddress(address),
    });
  }

  /** `reason`: the code of the DISCONNECT that was received or sent, or 0x80. */
  offline({ clientId, user, address }: Identity, reason: number): void {
    this.#tell(clientId, {
      status: 'offline',
      username: user,
      ts: this.#now(),
      reason_code: reason.toString(16),
      client_id: clientId,
      IPv4: plainAddress(address),
    });
  }

  #tell(clientId: string, status: object): void {
    this.#publish(`${TOPIC}/${topicTail(clientId)}`, JSON.stringify(status));
  }
}

/** An address of IPv4 that came in by IPv6 is one of IPv4. */
function plainAddress(address: string | null): string {
  return address?.replace(/^::ffff:/, '') ?? '';
}
