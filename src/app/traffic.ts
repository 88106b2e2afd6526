import { randomUUID } from 'node:crypto';
import type { Broker } from '../broker/broker.js';
import { type Listener, listen } from '../broker/listeners.js';
import type { Config } from '../config/schema.js';
import type { Logger } from '../log.js';
import type { Requests } from '../query/requests.js';
import { TransferClient } from '../transfer/client.js';
import { Bridges } from './bridges.js';
import type { Storage } from './storage.js';

export interface TrafficParts {
  readonly config: Config;
  readonly storage: Storage;
  readonly broker: Broker;
  readonly requests: Requests;
  readonly log: Logger;
}

/** The ways by which messages come and go: listeners, bridges, and the transfer client inside. */
export class Traffic {
  readonly listeners: Listener[] = [];
  readonly bridges: Bridges;
  readonly #parts: TrafficParts;
  #transferClient: TransferClient | null = null;

  /** Before streams are added, so that bridges miss nothing of them. */
  constructor(parts: TrafficParts) {
    const { broker, config, log, storage } = parts;
    const { catalog, clock, reader, streams } = storage;
    this.#parts = parts;
    this.bridges = new Bridges({
      dataDir: config.dataDir,
      bridges: config.bridges,
      broker,
      streams,
      catalog,
      reader,
      clock,
      log,
      packetBytes: config.limits.packetBytes,
      newId: randomUUID,
    });
  }

  /** Once the streams are there; bridges are not started yet. If it rejects, with a code of the table, `close` it. */
  async open(): Promise<void> {
    const { broker, config, log, storage } = this.#parts;
    await this.bridges.open();
    await broker.listen();
    for (const listener of config.listeners) this.listeners.push(await listen(broker, listener));
    if (config.transfer.embedded) {
      const connect = () => broker.connectInside();
      this.#transferClient = await TransferClient.start({ connect, log, keyring: storage.keyring });
    }
  }

  /** No new connections; requests are ended and answered, clients disconnected (their wills published). */
  async close(): Promise<void> {
    const { broker, requests } = this.#parts;
    // First, while what they sent may still be acknowledged and what comes in still has a broker.
    await this.bridges.close();
    const listenersClosed = Promise.all(this.listeners.map((listener) => listener.close()));
    await requests.close();
    await this.#transferClient?.close();
    await new Promise<void>((resolve) => broker.close(resolve));
    await listenersClosed;
  }
}
