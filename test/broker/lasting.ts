/** A client whose session outlives its connections. */
import type { IPublishPacket } from 'mqtt-packet';
import type { Broker } from '../../src/broker/broker.js';
import { until } from './fixture.js';
import type { ConnectOptions, WireClient } from './wire-client.js';

export function lasting(version: 3 | 4 | 5, options: ConnectOptions = {}): ConnectOptions {
  const properties = { sessionExpiryInterval: 600, ...options.properties };
  return { clientId: 'c', clean: false, ...options, version, ...(version === 5 ? { properties } : {}) };
}

/** The connection breaks, and the broker has noticed. */
export async function leave(client: WireClient, broker: Broker, clientId = 'c'): Promise<void> {
  await client.break();
  await until(() => broker.sessions.get(clientId)!.outbox === null);
}

/** Takes `count` messages and finishes each exchange. */
export async function takeAll(client: WireClient, count: number): Promise<IPublishPacket[]> {
  const got: IPublishPacket[] = [];
  for (let open = 0; got.length < count || open > 0; ) {
    const packet = await client.next();
    if (packet.cmd === 'publish') {
      got.push(packet);
      if (packet.qos === 1) client.send({ cmd: 'puback', messageId: packet.messageId! });
      if (packet.qos === 2) {
        client.send({ cmd: 'pubrec', messageId: packet.messageId! });
        open++;
      }
    } else if (packet.cmd === 'pubrel') {
      client.send({ cmd: 'pubcomp', messageId: packet.messageId! });
      open--;
    }
  }
  return got;
}
