import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Access } from '../broker/access/access.js';
import type { Broker } from '../broker/broker.js';
import type { Config } from '../config/schema.js';
import type { Logger } from '../log.js';
import { Requests } from '../query/requests.js';
import { Transfers } from '../query/transfers.js';
import { TRANSFER_TOPIC } from '../transfer/topics.js';
import { outletOf, ownPacket, replyBy } from './replies.js';
import type { Storage } from './storage.js';

export interface AnsweringParts {
  readonly config: Config;
  readonly storage: Storage;
  readonly access: Access;
  readonly broker: Broker;
  readonly log: Logger;
}

/** From now on what clients ask on `$STREAM/<verb>` is answered out of the storage, and files go to the transfer client. */
export function answerRequests({ access, broker, config, log, storage }: AnsweringParts): {
  readonly requests: Requests;
  readonly transfers: Transfers;
} {
  const { dataDir, limits } = config;
  const { audit, catalog, clock, reader, streams } = storage;
  const { events } = broker;
  const { chunkBytes, decrypt } = config.transfer;
  const send = (order: object) => broker.requestTransfer(ownPacket(TRANSFER_TOPIC, JSON.stringify(order)));
  const transfers = new Transfers(catalog, dataDir, chunkBytes, send, decrypt);
  events.onTransferPublish = ({ topic }) => transfers.published(topic);
  events.onTransferReady = () => transfers.ready();
  events.onTransferGone = () => transfers.gone();
  const requests = new Requests({
    catalog,
    clock,
    reader,
    transfers,
    limit: limits.requests,
    outlet: outletOf(broker),
    pace: {
      now: () => performance.now(),
      sleep: (ms, signal) => delay(ms, undefined, { signal }).catch(() => {}),
    },
    stream: (name) => streams.exchange.get(name),
    flush: (name) => streams.flush(name),
    status: (name) => streams.status(name),
    pathOf: (file) => join(dataDir, file.path),
    hash: (file) => streams.hash(file),
    reply: replyBy(broker, log),
    audit,
  });
  events.onRequest = ({ topic, payload, properties }, who, allowed) => {
    const verb = topic.slice('$STREAM/'.length);
    const { clientId } = who;
    const { responseTopic, correlationData } = properties ?? {};
    const rights = {
      mayRead: (filter: string) => access.mayReadHistory(who, filter),
      mayPublish: (topic: string) => access.mayPublish(who, topic),
    };
    void requests.answer({ verb, payload, clientId, responseTopic, correlationData, allowed, rights });
  };
  return { requests, transfers };
}
