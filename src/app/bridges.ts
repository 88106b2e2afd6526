import * as files from 'node:fs/promises';
import { join } from 'node:path';
import { Bridge, type BridgeStream, type LocalBroker } from '../bridge/bridge.js';
import { hasPassed, type Properties } from '../bridge/hops.js';
import type { LocalMessage } from '../bridge/outgoing.js';
import { identity, position, StateFile } from '../bridge/state-file.js';
import { type BridgeTime, SYSTEM_TIME } from '../bridge/time.js';
import type { AedesClient, InProcessDeliver, PublishPacket } from '../broker/aedes-internals.js';
import type { Broker } from '../broker/broker.js';
import type { Catalog } from '../catalog/catalog.js';
import type { FileEntry } from '../catalog/entry.js';
import type { Clock } from '../clock/clock.js';
import type { BridgeConfig } from '../config/schema.js';
import { MqttStreamError, textOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { FileReader } from '../query/file-reader.js';
import type { Streams } from '../streams/streams.js';
import { ownPacket } from './replies.js';

export interface BridgesOptions {
  readonly dataDir: string;
  readonly bridges: readonly BridgeConfig[];
  readonly broker: Broker;
  readonly streams: Streams;
  readonly catalog: Catalog;
  readonly reader: FileReader;
  readonly clock: Clock;
  readonly log: Logger;
  /** Largest packet that is taken, bytes. */
  readonly packetBytes: number;
  readonly newId: () => string;
  readonly random?: () => number;
  readonly time?: BridgeTime;
}

/** The bridges of a running broker: broker, streams and the other brokers tied together. */
export class Bridges {
  readonly #options: BridgesOptions;
  #bridges: readonly Bridge[] = [];
  /** What retention took away before the bridges knew their positions. */
  #retired: { stream: string; files: readonly FileEntry[] }[] = [];

  /** Before the streams are added, so that nothing of theirs is missed. */
  constructor(options: BridgesOptions) {
    this.#options = options;
    if (options.bridges.length === 0) return;
    options.streams.onRetired = (stream, files) => this.#retired.push({ stream, files });
  }

  /** Once the streams are there and before anything is published. Rejects with DATA_DIR_UNUSABLE. */
  async open(): Promise<void> {
    const { bridges, broker, dataDir, log, newId, packetBytes, streams } = this.#options;
    if (bridges.length === 0) return;
    const folder = join(dataDir, 'bridges');
    try {
      const brokerId = await ownId(new StateFile(join(folder, 'id.json'), identity, files), newId, log);
      broker.events.hasReturned = (properties) => hasPassed(properties, brokerId);
      this.#bridges = await Promise.all(
        bridges.map((config) => openBridge({ ...config, packetBytes }, brokerId, folder, this.#options)),
      );
    } catch (error) {
      throw new MqttStreamError('DATA_DIR_UNUSABLE', [dataDir, textOf(error)], { cause: error });
    }
    streams.onRetired = (stream, files) => {
      for (const bridge of this.#bridges) bridge.retired(stream, files);
    };
    for (const { stream, files } of this.#retired.splice(0)) streams.onRetired(stream, files);
  }

  start(): void {
    for (const bridge of this.#bridges) bridge.start();
  }

  all(): readonly Bridge[] {
    return this.#bridges;
  }

  async close(): Promise<void> {
    await Promise.all(this.#bridges.map((bridge) => bridge.close()));
  }
}

async function openBridge(
  config: BridgeConfig & { packetBytes: number },
  brokerId: string,
  folder: string,
  options: BridgesOptions,
): Promise<Bridge> {
  const { name } = config;
  const { broker, random = Math.random, time = SYSTEM_TIME } = options;
  const log = options.log.child({ bridge: name });
  return new Bridge(config, {
    brokerId,
    local: localBroker(broker, log),
    stream: config.stream === undefined ? null : await streamOf(config.stream, name, folder, log, options),
    readFile: (path) => files.readFile(path),
    time,
    random,
    log,
  });
}

async function ownId(file: StateFile<typeof identity>, newId: () => string, log: Logger): Promise<string> {
  const known = await file.read().catch((error: unknown) => {
    log.error({ path: file.path, err: error }, 'the id of this broker is not readable; it gets another one');
    return null;
  });
  if (known !== null) return known.id;
  const id = newId();
  await file.write({ id });
  return id;
}

async function streamOf(
  name: string,
  bridge: string,
  folder: string,
  log: Logger,
  { catalog, clock, dataDir, reader, streams }: BridgesOptions,
): Promise<BridgeStream> {
  const stream = streams.exchange.get(name);
  const file = new StateFile(join(folder, `${bridge}.position.json`), position, files);
  let start = await file.read().catch((error: unknown) => {
    log.error(
      { path: file.path, err: error },
      'the position is not readable; all that the stream has is sent',
    );
    return { stream: name, key: 0 };
  });
  if (start?.stream !== name) {
    log.info({ stream: name }, 'the bridge begins with what the stream captures from now on');
    start = { stream: name, key: clock.last };
    // Else it would begin later still, were it never to connect before the next start.
    await file.write(start);
  }
  if (start.key > clock.last) {
    log.warn(
      { position: start.key },
      'the position is later than any message; the bridge begins with what comes',
    );
    start = { stream: name, key: clock.last };
  }
  return {
    stream,
    sequence: {
      stream: name,
      ring: stream.ring,
      catalog,
      reader,
      pathOf: ({ path }) => join(dataDir, path),
      mayRead: null,
    },
    position: start.key,
    save: (key) => file.write({ stream: name, key }),
    loaded: () => catalog.load(),
    now: () => clock.now(),
  };
}

/** The broker as bridges see it. */
function localBroker(broker: Broker, log: Logger): LocalBroker {
  return {
    publish: (message, clientId, done) => broker.publish(message, { id: clientId } as AedesClient, done),
    subscribe: (filters, take) => {
      let last: number | undefined;
      const deliver: InProcessDeliver = (packet) => {
        // Several filters may match. Messages of replays have no key to know them by.
        if (packet.brokerCounter !== 0 && packet.brokerCounter === last) return;
        last = packet.brokerCounter;
        take(localMessage(packet));
      };
      for (const filter of filters) broker.subscribe(filter, deliver);
      return () => {
        for (const filter of filters) broker.unsubscribe(filter, deliver);
      };
    },
    showState: (name, connected) => {
      const topic = `$SYS/broker/connection/${name}/state`;
      broker.publish({ ...ownPacket(topic, connected ? '1' : '0'), retain: true }, (error?: Error | null) => {
        if (error) log.error({ err: error }, 'the state of the bridge could not be published');
      });
    },
  };
}

function localMessage(packet: PublishPacket): LocalMessage {
  const { clientId = null, messageExpiry, payload, qos, retain, topic } = packet;
  const { messageExpiryInterval: _, ...properties }: Properties = packet.properties ?? {};
  const secondsLeft = messageExpiry === undefined ? undefined : (messageExpiry - Date.now()) / 1000;
  return { topic, payload, qos, retain, clientId, properties, secondsLeft };
}
