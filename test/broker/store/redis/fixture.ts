/** Brokers in this process that share a Redis. */
import type { TestContext } from 'node:test';
import { Redis } from 'ioredis';
import type { BrokerLimits } from '../../../../src/broker/broker.js';
import type { Capture } from '../../../../src/broker/capture.js';
import { RedisStore } from '../../../../src/broker/store/redis/redis-store.js';
import { LIMITS, startBroker, type TestBroker } from '../../fixture.js';

const PREFIX = 'test:';
export const TIMES = { beat: 20, alive: 500, patience: 1000 };

export interface SharedBroker extends TestBroker {
  readonly port: number;
  readonly store: RedisStore;
  readonly faults: Error[];
  readonly restored: () => number;
}

export async function startShared(
  t: TestContext,
  url: string,
  instance: string,
  limits: Partial<BrokerLimits> = {},
  capture?: Capture,
): Promise<SharedBroker> {
  const faults: Error[] = [];
  let restored = 0;
  const store = await RedisStore.open({
    url,
    prefix: PREFIX,
    instance,
    limits: { ...LIMITS, ...limits },
    times: TIMES,
    onFault: (error) => faults.push(error),
    onRestored: () => restored++,
  });
  const started = await startBroker(t, { store, limits, ...(capture === undefined ? {} : { capture }) });
  t.after(() => store.destroy().catch(() => {}));
  return { ...started, port: started.tcp.port, store, faults, restored: () => restored };
}

/** For a look at what is in it. */
export class Look {
  readonly #redis: Redis;

  constructor(t: TestContext, url: string) {
    this.#redis = new Redis(url, { keyPrefix: PREFIX });
    this.#redis.on('error', () => {});
    t.after(() => this.#redis.disconnect());
  }

  /** The names of everything, without the prefix. */
  async names(): Promise<string[]> {
    const names = await this.#redis.keys('*');
    return names.map((name) => name.slice(PREFIX.length)).sort();
  }

  async queued(clientId: string): Promise<number> {
    return this.#redis.hlen(`q:${clientId}`);
  }

  async field(clientId: string, name: string): Promise<string | null> {
    return this.#redis.hget(`s:${clientId}`, name);
  }
}

/** Asks again until it holds. */
export async function eventually(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}
