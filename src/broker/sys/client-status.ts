import { topicTail } from '../../topics.js';

const TOPIC = '$SYS/brokers/client_status';

/** What a client has said of itself in CONNECT, and where it is. */
export interface StatusOf {
  readonly clientId: string;
  readonly user: string | null;
  readonly address: string | null;
  readonly version: 3 | 4 | 5;
  /** Seconds. */
  readonly keepalive: number;
  readonly cleanStart: boolean;
}

/** Tells who connects and disconnects: topic, keys and their order as NanoMQ has them. Codes are hexadecimal texts. */
export class ClientStatus {
  readonly #publish: (topic: string, json: string) => void;
  /** Wall time, ms. */
  readonly #now: () => number;

  constructor(publish: (topic: string, json: string) => void, now: () => number) {
    this.#publish = publish;
    this.#now = now;
  }

  online({ clientId, user, address, version, keepalive, cleanStart }: StatusOf): void {
    this.#tell(clientId, {
      status: 'online',
      username: user,
      ts: this.#now(),
      proto_name: version === 3 ? 'MQIsdp' : 'MQTT',
      keepalive,
      return_code: '0',
      proto_ver: version,
      client_id: clientId,
      clean_start: cleanStart ? 1 : 0,
      IPv4: plainAddress(address),
    });
  }

  /** `reason`: the code of the DISCONNECT that was received or sent, or 0x80. */
  offline({ clientId, user, address }: StatusOf, reason: number): void {
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
