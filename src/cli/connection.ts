import { Socket } from 'node:net';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { MqttStreamError, textOf } from '../errors.js';
import { type BrokerTarget, brokerAddress, clientOptions } from '../transfer/address.js';

const CONNECT_MS = 10_000;

/** An MQTT client that does not come back by itself: what it loses shall show. @throws BROKER_UNREACHABLE */
export async function connectOnce(
  target: BrokerTarget,
  { clientId, protocolVersion }: Pick<IClientOptions, 'clientId' | 'protocolVersion'>,
): Promise<MqttClient> {
  const client = mqtt.connect({
    ...clientOptions(target),
    clientId,
    protocolVersion,
    connectTimeout: CONNECT_MS,
    reconnectPeriod: 0,
  });
  let cause: unknown = new Error('the connection was closed');
  client.on('error', (error) => {
    cause = error;
  });
  try {
    await new Promise<void>((resolve, reject) => {
      client.once('connect', () => resolve());
      client.once('close', () => reject(cause));
    });
  } catch (error) {
    client.end(true);
    throw unreachable(target, error);
  }
  // A packet is several writes: held back for the acknowledgement of the first, each would take 40 ms.
  const { stream } = client;
  if (stream instanceof Socket) stream.setNoDelay(true);
  return client;
}

/** Without the URL: it may hold a password. */
export function unreachable({ url }: BrokerTarget, error: unknown): MqttStreamError {
  const { host, port } = brokerAddress(url);
  const text = textOf(error) || String((error as { code?: unknown }).code);
  return new MqttStreamError('BROKER_UNREACHABLE', [`${host}:${port}`, text], { cause: error });
}
