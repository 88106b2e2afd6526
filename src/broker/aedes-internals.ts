/**
 * Everything inside aedes 2.0.0-beta.1 and mqtt-packet 9.0.2 that this broker touches beyond their documented API.
 * `test/broker/aedes-internals.test.ts` fails when an upgrade moves one of these.
 */
import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { Aedes } from 'aedes';
import mqttPacket, { type Packet as WirePacket } from 'mqtt-packet';
import type { WithUserProperties } from './user-properties.js';

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
  readonly closed: boolean;
  readonly connected: boolean;
  /** In-flight QoS 1 and 2 messages that the client takes (MQTT 5, section 3.1.2.11.3); 65,535 by default. */
  readonly receiveMaximum: number;
  /** Largest packet that the client takes, bytes; undefined: any. */
  readonly maximumPacketSize: number | undefined;
  /** Makes packets of bytes; one that it cannot read it emits as an error, at once. */
  readonly _parser: EventEmitter & { client: AedesClient; parse(bytes: Buffer): number };
  /** The code of the DISCONNECT that was sent (MQTT 5); null: none. */
  readonly disconnectReasonCode: number | null;
  close(done?: () => void): void;
  disconnect(options: { reasonCode?: number }, done?: () => void): void;
}

/** What aedes reads of a client when it writes to it and when it ends it. */
interface ClientState {
  id: string;
  version: 3 | 4 | 5;
  _wireVersion: 3 | 4 | 5;
  clean: boolean;
  receiveMaximum: number;
  maximumPacketSize: number | undefined;
  connected: boolean;
  connackSent: boolean;
  /** Its end unregisters it. */
  _authorized: boolean;
  _connectTimer: NodeJS.Timeout | null;
  _nextBatch: (error?: Error | null) => void;
}

/** `aedes.js`: the members that are not in its types. */
export interface AedesInternals {
  /** By client id. We give it a null prototype: a client may call itself `__proto__`. */
  clients: Record<string, AedesClient>;
  brokers: Record<string, number>;
  /** Adds a client to `clients` and tells of it. */
  _finishRegisterClient(client: AedesClient): void;
  /** Called when a client closes that was let in. */
  unregisterClient(client: AedesClient): void;
  /** Called then, too: sessions and their expiry are ours. */
  scheduleSessionExpiry(client: AedesClient): void;
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

export interface PublishProperties extends WithUserProperties {
  payloadFormatIndicator?: boolean;
  messageExpiryInterval?: number;
  topicAlias?: number;
  responseTopic?: string;
  correlationData?: Buffer;
  subscriptionIdentifier?: number | number[];
  contentType?: string;
}

export type Packet = WirePacket;

/** Takes reading away from aedes: `arrived` gets what the socket reads, and aedes handles no packet. */
export function takeReading(client: AedesClient, arrived: (chunk: Buffer) => void): void {
  client._parser.removeAllListeners('packet');
  client.conn.removeAllListeners('readable');
  // Also called when aedes resumes; aedes' own reads the socket.
  (client as unknown as ClientState)._nextBatch = (error) => {
    if (error) client.emit('error', error);
  };
  client.conn.on('data', arrived);
}

/** Tells aedes who a connection is, as its own handling of CONNECT would. */
export function introduce(
  client: AedesClient,
  who: Pick<ClientState, 'id' | 'version' | 'clean' | 'receiveMaximum' | 'maximumPacketSize'>,
): void {
  Object.assign(client as unknown as ClientState, who, { _wireVersion: who.version });
}

/** From now on aedes says goodbye to it, and counts it. */
export function letIn(client: AedesClient): void {
  const state = client as unknown as ClientState;
  clearTimeout(state._connectTimer!);
  Object.assign(state, { _connectTimer: null, connected: true, connackSent: true, _authorized: true });
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
    handle: (conn: Duplex) => AedesClient;
    listen(): Promise<void>;
    close(done?: () => void): void;
    publish(packet: object, client: unknown, done?: unknown): void;
    subscribe(topic: string, deliver: InProcessDeliver, done?: () => void): void;
    unsubscribe(topic: string, deliver: InProcessDeliver, done?: () => void): void;
  };

export type InProcessDeliver = (packet: PublishPacket, done: () => void) => void;
