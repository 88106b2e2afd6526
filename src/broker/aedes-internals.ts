/**
 * Everything inside aedes 2.0.0-beta.1 and mqtt-packet 9.0.2 that this broker touches beyond their documented API.
 * `test/broker/aedes-internals.test.ts` fails when an upgrade moves one of these.
 */
import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { Aedes } from 'aedes';
import memory from 'aedes-persistence';
import mqttPacket, { type UserProperties, type Packet as WirePacket } from 'mqtt-packet';

/**
 * mqtt-packet keeps a Buffer for every number of two bytes, from the first packet that it writes on: 65,536 objects
 * that the collector moves twice (11 ms, in the middle of traffic) and marks ever after. We write few packets with it.
 */
(mqttPacket.writeToStream as unknown as { cacheNumbers: boolean }).cacheNumbers = false;

/** `lib/client.js`: one connection. */
export interface AedesClient extends EventEmitter {
  readonly id: string;
  readonly broker: EventEmitter;
  readonly conn: Duplex;
  /** 3, 4 or 5; null before CONNECT. */
  readonly version: 3 | 4 | 5 | null;
  /** The session ends with the connection. */
  readonly clean: boolean;
  readonly closed: boolean;
  readonly connected: boolean;
  /** In-flight QoS 1 and 2 messages that the client takes (MQTT 5, section 3.1.2.11.3); 65,535 by default. */
  readonly receiveMaximum: number;
  /** Largest packet that the client takes, bytes; undefined: any. */
  readonly maximumPacketSize: number | undefined;
  /** By topic filter, filled by aedes when it restores a session. Ours are in `Session`: we keep it empty. */
  subscriptions: Record<string, unknown>;
  /** Makes packets of bytes; one that it cannot read it emits as an error, at once. */
  readonly _parser: EventEmitter & { client: AedesClient; parse(bytes: Buffer): number };
  /** Called after every packet and when aedes resumes; aedes' own reads the socket. */
  _nextBatch: (error?: Error | null) => void;
  /** Packets being handled. */
  _parsingBatch: number;
  readonly _keepaliveTimer: NodeJS.Timeout | null;
  /** CONNECT asked for a clean start. */
  readonly _cleanStart: boolean;
  close(done?: () => void): void;
  disconnect(options: { reasonCode?: number }, done?: () => void): void;
}

/** `aedes.js`: the members that are not in its types. */
export interface AedesInternals {
  /** By client id. We give it a null prototype: a client may call itself `__proto__`. */
  clients: Record<string, AedesClient>;
  brokers: Record<string, number>;
  /** Called for every MQTT 5 session that ends: expired, or ephemeral and disconnected. */
  _wipeSession(client: AedesClient): void;
}

/** An inbound or in-process PUBLISH. `brokerCounter` is our key: it survives aedes' copies and orders queues. */
export interface PublishPacket {
  cmd: 'publish';
  topic: string;
  payload: Buffer;
  qos: 0 | 1 | 2;
  retain: boolean;
  dup: boolean;
  messageId?: number;
  properties?: PublishProperties;
  brokerId?: string;
  brokerCounter?: number;
  clientId?: string;
  /** Wall time in ms at which the message expires (MQTT 5, section 3.3.2.3.3). */
  messageExpiry?: number;
}

export interface PublishProperties {
  payloadFormatIndicator?: boolean;
  messageExpiryInterval?: number;
  topicAlias?: number;
  responseTopic?: string;
  correlationData?: Buffer;
  userProperties?: UserProperties;
  subscriptionIdentifier?: number | number[];
  contentType?: string;
}

export type Packet = WirePacket;

/**
 * Takes reading away from aedes: `arrived` gets what the socket reads. Returns what gives a packet to aedes' handlers.
 * aedes counts the packets of a batch, and would queue all but the first before CONNACK: we give it one at a time.
 */
export function takeReading(client: AedesClient, arrived: (chunk: Buffer) => void): (packet: Packet) => void {
  const [listener] = client._parser.listeners('packet') as ((packet: Packet) => void)[];
  client._parser.removeAllListeners('packet');
  client.conn.removeAllListeners('readable');
  client._nextBatch = (error) => {
    if (error) client.emit('error', error);
  };
  client.conn.on('data', arrived);
  return (packet) => {
    client._parsingBatch = 0;
    listener.call(client._parser, packet);
  };
}

/**
 * Whether a delivery function was made by aedes for a client's subscription (when it restores a session). Our
 * router has its own record of those; only functions of embedders are to be called.
 */
export function isClientDelivery(deliver: { name: string }): boolean {
  return deliver.name === 'handlePacketSubscription' || deliver.name === 'deliverSharp';
}

/** aedes' types declare neither options nor members that we use; this is the class as it is. */
export const AedesBase = Aedes as unknown as new (
  options: Record<string, unknown>,
) => EventEmitter &
  AedesInternals & {
    readonly id: string;
    readonly closed: boolean;
    readonly maximumPacketSize: number;
    readonly connectedClients: number;
    persistence: Persistence;
    handle: (conn: Duplex) => AedesClient;
    listen(): Promise<void>;
    close(done?: () => void): void;
    publish(packet: object, client: unknown, done?: unknown): void;
    subscribe(topic: string, deliver: InProcessDeliver, done?: () => void): void;
    unsubscribe(topic: string, deliver: InProcessDeliver, done?: () => void): void;
  };

export type InProcessDeliver = (packet: PublishPacket, done: () => void) => void;

/** The part of an aedes persistence that we call or replace. */
export interface Persistence {
  storeRetained(packet: PublishPacket): Promise<void>;
  createRetainedStreamCombi(patterns: string[]): AsyncIterable<PublishPacket>;
  subscriptionsByClient(client: { id: string }): Promise<{ topic: string; qos: number }[]>;
}

/** Sessions in memory. The package's types describe an older interface than its code has. */
const memoryPersistence = memory as unknown as () => Persistence;

/**
 * aedes' store, which is left with wills and retained messages: subscriptions and queues are ours. aedes tells a
 * client that its session is present if there is a subscription to restore, so it is shown one that does nothing.
 */
export function storeWithoutSessions(hasSession: (clientId: string) => boolean): Persistence {
  const store = memoryPersistence();
  store.subscriptionsByClient = async ({ id }) =>
    hasSession(id) ? [{ topic: '$share/present', qos: 0 }] : [];
  return store;
}
