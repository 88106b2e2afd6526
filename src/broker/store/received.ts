import type { PublishPacket } from '../aedes-internals.js';
import { decodeMessage, encodeMessage } from './packet-codec.js';
import type { Rows } from './rows.js';
import type { SessionTable } from './session-table.js';
import { noSuchPacket, type StoredSession } from './stored-session.js';

export type ReceivedMessage = PublishPacket & { messageId: number };

/** QoS 2 messages received and not released, by the client's packet identifier. */
export class ReceivedMessages {
  readonly #rows: Rows;
  readonly #sessions: SessionTable;

  constructor(rows: Rows, sessions: SessionTable) {
    this.#rows = rows;
    this.#sessions = sessions;
  }

  store(clientId: string, packet: ReceivedMessage): Promise<void> {
    const session = this.#sessions.of(clientId);
    const { messageId, brokerId, brokerCounter, dup } = packet;
    session.received.add(messageId);
    const value = encodeMessage(packet, { brokerId, brokerCounter, dup, clientId: packet.clientId });
    this.#rows.put(session.receivedKey(messageId), value);
    return this.#rows.written();
  }

  /** Rejects if there is none. */
  async get(clientId: string, messageId: number): Promise<ReceivedMessage> {
    const session = this.#session(clientId, messageId);
    const value = await this.#rows.get(session.receivedKey(messageId));
    if (value === undefined) throw noSuchPacket();
    return { ...(this.#rows.decode(value, decodeMessage) as PublishPacket), cmd: 'publish', messageId };
  }

  /** Rejects if there is none. */
  async remove(clientId: string, messageId: number): Promise<void> {
    const session = this.#session(clientId, messageId);
    session.received.delete(messageId);
    this.#rows.delete(session.receivedKey(messageId));
    return this.#rows.written();
  }

  removeAll(clientId: string): Promise<void> {
    const session = this.#sessions.get(clientId);
    for (const messageId of session?.received ?? []) this.#rows.delete(session!.receivedKey(messageId));
    session?.received.clear();
    return this.#rows.written();
  }

  #session(clientId: string, messageId: number): StoredSession {
    const session = this.#sessions.get(clientId);
    if (!session?.received.has(messageId)) throw noSuchPacket();
    return session;
  }
}
