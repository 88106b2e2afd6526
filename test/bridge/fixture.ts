/** Time, a log and a link that a test holds in its hands. */
import type { IConnackPacket } from 'mqtt';
import type { Refused } from '../../src/bridge/link.js';
import { type Outgoing, OutgoingMessages } from '../../src/bridge/outgoing.js';
import type { BridgeLog } from '../../src/bridge/remote.js';
import { type Rule, Rules } from '../../src/bridge/rules.js';
import type { SendingLink } from '../../src/bridge/sender.js';
import type { BridgeStats } from '../../src/bridge/stats.js';
import type { BridgeTime } from '../../src/bridge/time.js';

export const BROKER_ID = 'us';
export const CLIENT_ID = 'bridge/cloud';

/** Stands still until a test moves it. */
export class FakeTime implements BridgeTime {
  #now = 0;
  #timers: { at: number; callback: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + ms, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  /** When the timers are due, ms from now. */
  get due(): number[] {
    return this.#timers.map(({ at }) => at - this.#now).sort((a, b) => a - b);
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.#now = next.at;
      next.callback();
    }
    this.#now = end;
  }
}

export class MemoryLog implements BridgeLog {
  readonly lines: { level: string; fields: Record<string, unknown>; message: string }[] = [];
  #waiting: { done: () => boolean; resolve: () => void }[] = [];
  readonly debug = this.#at('debug');
  readonly info = this.#at('info');
  readonly warn = this.#at('warn');
  readonly error = this.#at('error');

  count(level: string, text: RegExp): number {
    return this.lines.filter((line) => line.level === level && text.test(line.message)).length;
  }

  /** Resolves when so many lines are like this. */
  async seen(level: string, text: RegExp, count = 1): Promise<void> {
    const done = () => this.count(level, text) >= count;
    if (!done()) await new Promise<void>((resolve) => this.#waiting.push({ done, resolve }));
  }

  #at(level: string) {
    return (fields: object, message: string): void => {
      this.lines.push({ level, fields: { ...fields }, message });
      this.#waiting = this.#waiting.filter(({ done, resolve }) => {
        if (done()) resolve();
        return !done();
      });
    };
  }
}

/** Keeps what is sent until the test acknowledges it. */
export class FakeLink implements SendingLink {
  readonly sent: Outgoing[] = [];
  readonly open: ((refused: Refused | null) => void)[] = [];
  destroyed: Error | null = null;

  publish(message: Outgoing, done: (refused: Refused | null) => void): void {
    this.sent.push(message);
    if (message.qos === 0) done(null);
    else this.open.push(done);
  }

  destroy(reason: Error): void {
    this.destroyed = reason;
  }

  get payloads(): string[] {
    return this.sent.map(({ payload }) => payload.toString());
  }

  acknowledge(count = this.open.length, refused: Refused | null = null): void {
    for (const done of this.open.splice(0, count)) done(refused);
  }
}

export function connack(properties?: IConnackPacket['properties']): IConnackPacket {
  return { cmd: 'connack', sessionPresent: false, reasonCode: 0, ...(properties && { properties }) };
}

export function rule(filter: string, more: Partial<Rule> = {}): Rule {
  return { filter, qos: 1, remove: '', add: '', ...more };
}

export function outgoingOf(rules: readonly Rule[], stats: BridgeStats, time: BridgeTime, maxQos: 0 | 1 = 1) {
  const options = { rules: new Rules(rules), maxQos, brokerId: BROKER_ID, clientId: CLIENT_ID, time };
  return new OutgoingMessages(options, stats);
}
