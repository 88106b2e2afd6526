import { randomBytes } from 'node:crypto';
import type { IPublishPacket, MqttClient } from 'mqtt';
import { MqttStreamError } from '../errors.js';
import type { Result } from '../query/result.js';
import type { BrokerTarget } from '../transfer/address.js';
import { connectOnce, unreachable } from './connection.js';
import { type FoundMessage, foundMessage } from './message.js';
import { Refusal } from './refusal.js';

export interface Question {
  readonly verb: 'search' | 'replay' | 'flush' | 'files' | 'status';
  readonly request: { readonly id: string; readonly stream: string };
  /** In the order of the keys. */
  readonly onMessage?: (message: FoundMessage) => void;
  /** Give up when nothing has come for so long; 0: never. */
  readonly silenceMs: number;
}

/** Asks a broker what clients may ask on `$STREAM/...`; one question after the other. */
export class RequestClient {
  readonly #client: MqttClient;
  readonly #target: BrokerTarget;
  readonly #results: string;
  #onPublish: (packet: IPublishPacket) => void = () => {};
  #onLost: (error: Error) => void = () => {};

  private constructor(client: MqttClient, target: BrokerTarget, results: string) {
    this.#client = client;
    this.#target = target;
    this.#results = results;
    // As they arrive: the library holds messages of QoS 2 back, and later ones would overtake them.
    client.on('packetreceive', (packet) => {
      if (packet.cmd === 'publish') this.#onPublish(packet);
    });
    let cause = new Error('the connection was closed');
    client.on('error', (error) => {
      cause = error;
    });
    client.on('disconnect', ({ reasonCode }) => {
      cause = new Error(`the broker ended the connection, reason ${reasonCode}`);
    });
    client.on('close', () => this.#onLost(cause));
  }

  /** @throws BROKER_UNREACHABLE */
  static async connect(target: BrokerTarget): Promise<RequestClient> {
    const clientId = `mqtt-stream-cli-${randomBytes(8).toString('hex')}`;
    const client = await connectOnce(target, { clientId, protocolVersion: 5 });
    const results = `$STREAM/result/${clientId}`;
    const asking = new RequestClient(client, target, results);
    try {
      await client.subscribeAsync(results, { qos: 1 });
    } catch (error) {
      client.end(true);
      throw unreachable(target, error);
    }
    return asking;
  }

  /**
   * The result; all messages have come before it.
   * @throws Refusal, and ANSWER_INCOMPLETE, BROKER_UNREACHABLE
   */
  async ask({ verb, request, onMessage, silenceMs }: Question): Promise<Result> {
    const { id } = request;
    let count = 0;
    let silence: NodeJS.Timeout | undefined;
    const answer = new Promise<Result>((resolve, reject) => {
      if (silenceMs > 0) {
        const late = new MqttStreamError('ANSWER_INCOMPLETE', [id, `nothing came for ${silenceMs / 1000} s`]);
        silence = setTimeout(reject, silenceMs, late);
      }
      this.#onLost = (error) => reject(unreachable(this.#target, error));
      this.#onPublish = (packet) => {
        silence?.refresh();
        if (packet.topic === this.#results) {
          // One without belongs to no question of this client; one of another id came too late for its own.
          const about = packet.properties?.correlationData?.toString();
          if (about === id) resolve(JSON.parse(packet.payload.toString()) as Result);
          return;
        }
        const message = foundMessage(id, packet);
        if (message === null) return;
        count++;
        onMessage?.(message);
      };
    });
    try {
      const [result] = await Promise.all([answer, this.#publish(verb, request, onMessage !== undefined)]);
      if (result.error !== undefined) throw new Refusal(result.error);
      const expected = result.messages?.count ?? 0;
      if (count !== expected) {
        throw new MqttStreamError('ANSWER_INCOMPLETE', [id, `${count} of ${expected} messages came`]);
      }
      if (onMessage !== undefined) await this.#client.unsubscribeAsync(`MQfile/${id}/#`);
      return result;
    } finally {
      clearTimeout(silence);
      this.#onPublish = () => {};
      this.#onLost = () => {};
    }
  }

  async close(): Promise<void> {
    await this.#client.endAsync(!this.#client.connected);
  }

  async #publish(verb: string, request: Question['request'], withMessages: boolean): Promise<void> {
    if (withMessages) await this.#client.subscribeAsync(`MQfile/${request.id}/#`, { qos: 2 });
    await this.#client.publishAsync(`$STREAM/${verb}`, JSON.stringify(request), {
      qos: 1,
      properties: { responseTopic: this.#results, correlationData: Buffer.from(request.id) },
    });
  }
}
