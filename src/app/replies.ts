import type { PublishPacket } from '../broker/aedes-internals.js';
import type { Broker } from '../broker/broker.js';
import type { Logger } from '../log.js';
import type { Outlet } from '../query/outlet.js';
import type { Asked } from '../query/requests.js';
import type { Result } from '../query/result.js';
import { isOwnTopic, topicFault } from '../topics.js';

/** The broker as replays see it: messages to connected subscribers, and word of those that have enough to do. */
export function outletOf(broker: Broker): Outlet {
  return {
    send: ({ topic, payload, qos, properties }) => {
      const packet = {
        ...ownPacket(topic, payload),
        qos,
        ...(properties === undefined ? {} : { properties }),
      };
      let waits: Promise<void>[] | null = null;
      broker.deliver(packet, ({ session }) => {
        waits ??= [];
        waits.push(new Promise((resolve) => session.outbox!.onRelief(resolve)));
      });
      return waits === null ? null : Promise.all(waits).then(() => {});
    },
  };
}

/** Publishes results: to `$STREAM/result/<name>`, and to the Response Topic of who asked. */
export function replyBy(broker: Broker, log: Logger): (name: string, result: Result, asked: Asked) => void {
  return (name, result, { responseTopic, correlationData, rights }) => {
    const json = JSON.stringify(result);
    const failed = (error: unknown) => {
      if (error) log.error({ err: error, id: result.id }, 'a result could not be delivered');
    };
    broker.publish(ownPacket(`$STREAM/result/${name}`, json), failed);
    if (responseTopic === undefined || topicFault(responseTopic) !== null) return;
    // The broker publishes this one: it must not lend its rights to whoever asked.
    if (isOwnTopic(responseTopic)) {
      if (!responseTopic.startsWith('$STREAM/result/')) return;
    } else if (rights?.mayPublish(responseTopic) === false) return;
    const properties = correlationData === undefined ? {} : { correlationData };
    broker.publish({ ...ownPacket(responseTopic, json), properties }, failed);
  };
}

/** A PUBLISH of the broker's own. */
export function ownPacket(topic: string, payload: string | Buffer): PublishPacket {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  return { cmd: 'publish', topic, payload: bytes, qos: 1, retain: false, dup: false };
}
