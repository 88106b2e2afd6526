/** A whole broker in this process, on a folder of its own, with real clients and a disk that a test can stall. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { type App, type AppParts, createApp } from '../../src/app/app.js';
import type { ConfigInput, StreamInput } from '../../src/config/schema.js';
import type { Gap } from '../../src/exchange/gaps.js';
import { createLog, type Logger } from '../../src/log.js';
import { CAPACITY, FULL, STALL, STALLED } from '../recorder/modules/disk.js';
import { POISON } from '../recorder/modules/encoder.js';

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly stream?: string;
  readonly file?: string;
  readonly err?: { readonly message: string };
}

/** A log whose lines can be looked at and waited for. */
export class MemoryLog {
  readonly lines: LogLine[] = [];
  readonly log: Logger = createLog({ level: 'debug', format: 'json' }, (line) => {
    this.lines.push(JSON.parse(line));
    this.#waiting = this.#waiting.filter((done) => !done());
  });
  #waiting: (() => boolean)[] = [];

  matching(text: RegExp): LogLine[] {
    return this.lines.filter(({ msg }) => text.test(msg));
  }

  /** Resolves when so many lines match. */
  seen(text: RegExp, count = 1): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        if (this.matching(text).length < count) return false;
        resolve();
        return true;
      };
      if (!done()) this.#waiting.push(done);
    });
  }
}

const cleanups = new WeakMap<TestContext, (() => unknown)[]>();

/** What is called when the test ends, the last one first: `t.after` begins with the first one. */
export function atEnd(t: TestContext, cleanup: () => unknown): void {
  const known = cleanups.get(t);
  if (known !== undefined) {
    known.push(cleanup);
    return;
  }
  const all = [cleanup];
  cleanups.set(t, all);
  t.after(async () => {
    for (const one of all.reverse()) await one();
  });
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mqtt-stream-app-'));
  atEnd(t, () => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** Files are written when a test asks for it, or at the stop. */
export function streamInput(more: Partial<StreamInput> = {}): StreamInput {
  return { name: 'vehicle', topics: ['vehicle/#'], flush: { every: 0, idle: 0 }, ...more };
}

export function configOf(dataDir: string, more: Partial<ConfigInput> = {}): ConfigInput {
  return {
    dataDir,
    listeners: [{ protocol: 'tcp', port: 0 }],
    http: { enabled: false },
    streams: [streamInput()],
    ...more,
  };
}

/** What a crash of now would leave on disk. */
export async function crashed(t: TestContext, dataDir: string): Promise<string> {
  const copy = join(await temporaryFolder(t), 'copy');
  // Not what is being replaced just now.
  await cp(dataDir, copy, { recursive: true, filter: (path) => !path.endsWith('.tmp') });
  // The process that holds this lock is alive in this test only.
  await rm(join(copy, 'lock.json'));
  return copy;
}

export interface Started {
  readonly app: App;
  readonly url: string;
  readonly log: MemoryLog;
}

export async function started(t: TestContext, config: ConfigInput, parts: AppParts = {}): Promise<Started> {
  const log = new MemoryLog();
  const app = await createApp(config, { log: log.log, ...parts });
  atEnd(t, () => app.close(2000));
  return { app, log, url: app.listeners[0]?.url ?? '' };
}

let clients = 0;

export async function connected(
  t: TestContext,
  url: string,
  options: IClientOptions = {},
): Promise<MqttClient> {
  const client = await mqtt.connectAsync(url, {
    clientId: `client-${++clients}`,
    protocolVersion: 5,
    reconnectPeriod: 0,
    ...options,
  });
  client.on('error', () => {});
  atEnd(t, () => client.end(true));
  return client;
}

/** The next `count` messages that a client gets on topics that begin so. */
export function received(client: MqttClient, prefix: string, count: number): Promise<mqtt.IPublishPacket[]> {
  return new Promise((resolve) => {
    const packets: mqtt.IPublishPacket[] = [];
    const take = (topic: string, _payload: Buffer, packet: mqtt.IPublishPacket) => {
      if (!topic.startsWith(prefix)) return;
      packets.push(packet);
      if (packets.length < count) return;
      client.off('message', take);
      resolve(packets);
    };
    client.on('message', take);
  });
}

export interface Replayed {
  readonly keys: number[];
  readonly payloads: string[];
  readonly gaps: Gap[];
}

let replays = 0;

/** All that a stream has, as an in-process request gets it. */
export async function replayed(app: App, more: object = {}, stream = 'vehicle'): Promise<Replayed> {
  const id = `replay-${++replays}`;
  const keys: number[] = [];
  const payloads: string[] = [];
  const take = (packet: { topic: string; payload: Buffer }, done: () => void) => {
    keys.push(Number(packet.topic.split('/')[2]));
    payloads.push(packet.payload.toString());
    done();
  };
  app.broker.subscribe(`MQfile/${id}/#`, take as never);
  const result = await app.request('replay', { id, stream, ...more });
  app.broker.unsubscribe(`MQfile/${id}/#`, take as never);
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  if (result.messages!.count !== keys.length) throw new Error('the result tells another count');
  return { keys, payloads, gaps: result.gaps as Gap[] };
}

/** Publishes `<prefix>0`, `<prefix>1`, ... to `vehicle/n` from inside, one after the other. */
export async function publishMany(
  app: App,
  prefix: string,
  count: number,
  qos: 0 | 1 = 0,
): Promise<string[]> {
  const payloads = numbered(prefix, count);
  for (const payload of payloads) await app.publish({ topic: 'vehicle/n', payload, qos });
  return payloads;
}

export function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

type AtomicsWithWait = {
  waitAsync(words: Int32Array, index: number, value: number): { value: Promise<string> | string };
};

/** The recorder's disk and encoder, as the test wants them. */
export class Disk {
  readonly #words = new Int32Array(new SharedArrayBuffer(32));

  get modules(): NonNullable<AppParts['recorderModules']> {
    const module = (name: string) => new URL(`../recorder/modules/${name}.js`, import.meta.url).href;
    return { disk: module('disk'), encoder: module('encoder'), data: { words: this.#words } };
  }

  /** The next write hangs. */
  stall(): void {
    Atomics.store(this.#words, STALL, 1);
  }

  /** Resolves when a write hangs. */
  async stalled(): Promise<void> {
    const { waitAsync } = Atomics as unknown as AtomicsWithWait;
    while (Atomics.load(this.#words, STALLED) === 0) await waitAsync(this.#words, STALLED, 0).value;
  }

  goOn(): void {
    Atomics.store(this.#words, STALL, 0);
    Atomics.notify(this.#words, STALL);
  }

  set full(full: boolean) {
    Atomics.store(this.#words, FULL, full ? 1 : 0);
  }

  /** Bytes that all files together may have; 0: no limit. */
  set capacity(bytes: number) {
    Atomics.store(this.#words, CAPACITY, bytes);
  }

  /** So many calls of the encoder end in a trap. */
  poison(calls: number): void {
    Atomics.store(this.#words, POISON, calls);
  }
}
