/** A broker on a free port, with a log to look at. */
import type { TestContext } from 'node:test';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import type { AuditEvent } from '../../src/audit.js';
import type { Access } from '../../src/broker/access/access.js';
import { Broker, type BrokerLimits } from '../../src/broker/broker.js';
import type { Capture } from '../../src/broker/capture.js';
import type { ShareStrategy } from '../../src/broker/delivery/share.js';
import { type Listener, listen } from '../../src/broker/listeners.js';
import type { Log } from '../../src/broker/log.js';
import type { Keys } from '../../src/broker/pipeline.js';
import { LevelPersistence } from '../../src/broker/store/level-persistence.js';
import type { Store } from '../../src/broker/store/store.js';
import type { SysOptions } from '../../src/broker/sys/sys.js';
import { Clock } from '../../src/clock/clock.js';
import { systemTime } from '../../src/clock/time.js';
import { parseConfig } from '../../src/config/schema.js';

export const LIMITS: BrokerLimits = parseConfig({}).limits;

export class TestLog implements Log {
  readonly lines: { level: string; what: object; text: string }[] = [];
  readonly debug = this.#writer('debug');
  readonly info = this.#writer('info');
  readonly warn = this.#writer('warn');
  readonly error = this.#writer('error');

  #writer(level: string) {
    return (what: object, text: string): void => {
      this.lines.push({ level, what, text });
    };
  }
}

export interface TestBroker {
  readonly broker: Broker;
  readonly log: TestLog;
  readonly audited: AuditEvent[];
  readonly tcp: Listener;
  readonly ws: Listener;
}

export interface BrokerSettings {
  readonly limits?: Partial<BrokerLimits>;
  readonly capture?: Capture;
  readonly keys?: Keys;
  readonly sys?: SysOptions;
  readonly access?: Access;
  readonly store?: Store;
  readonly now?: () => number;
  readonly shareStrategy?: ShareStrategy;
  readonly wall?: () => number;
}

export function newClock(): Clock {
  return new Clock(systemTime(), { floor: 0, base: null, corrections: [] });
}

export function memoryStore(): Promise<LevelPersistence> {
  const onFault = (error: Error): never => {
    throw error;
  };
  return LevelPersistence.open({ folder: null, sync: false, onFault });
}

export async function startBroker(t: TestContext, settings: BrokerSettings = {}): Promise<TestBroker> {
  const log = new TestLog();
  const audited: AuditEvent[] = [];
  const store = settings.store ?? (await memoryStore());
  const broker = new Broker({
    id: 'test',
    store,
    keys: settings.keys ?? newClock(),
    limits: { ...LIMITS, ...settings.limits },
    log,
    audit: { record: (event) => audited.push(event) },
    ...(settings.capture === undefined ? {} : { capture: settings.capture }),
    ...(settings.shareStrategy === undefined ? {} : { shareStrategy: settings.shareStrategy }),
    ...(settings.sys === undefined ? {} : { sys: settings.sys }),
    ...(settings.access === undefined ? {} : { access: settings.access }),
    ...(settings.now === undefined ? {} : { now: settings.now }),
    ...(settings.wall === undefined ? {} : { wall: settings.wall }),
  });
  await broker.listen();
  const tcp = await listen(broker, { protocol: 'tcp', host: '127.0.0.1', port: 0 });
  const ws = await listen(broker, { protocol: 'ws', host: '127.0.0.1', port: 0 });
  t.after(async () => {
    await Promise.all([tcp.close(), ws.close(), closeBroker(broker)]);
  });
  return { broker, log, audited, tcp, ws };
}

export function closeBroker(broker: Broker): Promise<void> {
  return new Promise((resolve) => broker.close(resolve));
}

/** A client of the `mqtt` package that does not reconnect. */
export async function mqttClient(
  t: TestContext,
  listener: Listener,
  options: IClientOptions = {},
): Promise<MqttClient> {
  const client = await mqtt.connectAsync(listener.url, {
    reconnectPeriod: 0,
    protocolVersion: 5,
    ...options,
  });
  t.after(() => client.endAsync(true));
  return client;
}

/** Resolves when `condition` holds; it is asked again in every turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
