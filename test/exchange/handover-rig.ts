/** A stream whose batches go to a callback of the test. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Exchange } from '../../src/exchange/exchange.js';
import { Handover, type HandoverLimits, type TakeBatch } from '../../src/exchange/handover.js';
import type { Stream } from '../../src/exchange/stream.js';
import { exchangeOf, publication, Router, streamOf } from './fixture.js';

export interface Rig {
  readonly stream: Stream;
  readonly exchange: Exchange;
  readonly handover: Handover;
  /** Payloads of every batch that was taken. */
  readonly batches: string[][];
  readonly failures: unknown[];
  publish(...payloads: string[]): void;
}

const NEVER: HandoverLimits = {
  every: 0,
  bytes: Number.POSITIVE_INFINITY,
  messages: Number.POSITIVE_INFINITY,
};

/** A stream with policy `return` whose batches go to `take`. */
export function rig(take: TakeBatch, limits: Partial<HandoverLimits> = {}, messages = 4): Rig {
  const stream = streamOf('taken', { messages, whenFull: 'return', bytes: 4 * 1024 * 1024 });
  const exchange = exchangeOf(stream);
  const router = new Router(exchange);
  const publisher = exchange.origin('p');
  const batches: string[][] = [];
  const failures: unknown[] = [];
  const handover = new Handover(
    stream,
    async (batch, name) => {
      assert.equal(name, 'taken');
      const payloads = batch.map(({ payload }) => Buffer.from(payload).toString());
      await take(batch, name);
      batches.push(payloads);
    },
    { ...NEVER, ...limits },
    () => exchange.admitWaiting(),
    (error) => failures.push(error),
  );
  Object.assign(stream, { sink: handover });
  return {
    stream,
    exchange,
    handover,
    batches,
    failures,
    publish: (...payloads) => {
      for (const payload of payloads) router.publish(publisher, publication('t', payload));
    },
  };
}

/** The clock of a test; immediates run as always. */
export function timers(t: TestContext): { tick(ms: number): Promise<void> } {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  return {
    tick: async (ms) => {
      t.mock.timers.tick(ms);
      for (let i = 0; i < 10; i++) await turn();
    },
  };
}
