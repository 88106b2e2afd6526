import { type Cpu, cpuOf } from '../process-cost.js';
import { Connection, checkConnack, type PacketTaker } from './connection.js';
import { CONNACK, PUBACK, PublishChunk } from './packets.js';
import { exactNow } from './plan.js';

/** Publishers of QoS 1 that wait for the acknowledgement of each message before they send the next. */
export interface ClosedLoopPlan {
  readonly port: number;
  /** The broker's process. */
  readonly pid: number;
  readonly publishers: number;
  readonly payloadBytes: number;
  readonly topic: string;
  /** No message is begun after so many seconds. */
  readonly seconds: number;
}

export interface ClosedLoopResult {
  /** What ended it early. */
  readonly failure: string | null;
  readonly acknowledged: number;
  readonly seconds: number;
  /** From the write to the acknowledgement, ms. */
  readonly latencies: Float64Array;
  readonly cpuBefore: Cpu;
}

/** Carries out a plan; resolves when everything that was sent is acknowledged. */
export function runClosedLoop(plan: ClosedLoopPlan): Promise<ClosedLoopResult> {
  return new Promise((resolve) => {
    const latencies: number[] = [];
    let connected = 0;
    let running = plan.publishers;
    let started = 0;
    let cpuBefore = cpuOf(plan.pid);
    const end = (failure: string | null) => {
      for (const { connection } of publishers) connection.end();
      resolve({
        failure,
        acknowledged: latencies.length,
        seconds: (exactNow() - started) / 1000,
        latencies: Float64Array.from(latencies),
        cpuBefore,
      });
    };
    const events: LoopEvents = {
      connected: () => {
        if (++connected < plan.publishers) return;
        cpuBefore = cpuOf(plan.pid);
        started = exactNow();
        for (const publisher of publishers) publisher.send();
      },
      acknowledged: (publisher, ms) => {
        latencies.push(ms);
        if (exactNow() - started < plan.seconds * 1000) publisher.send();
        else if (--running === 0) end(null);
      },
      ended: end,
    };
    const publishers = Array.from({ length: plan.publishers }, (_, i) => new Publisher(plan, i, events));
  });
}

interface LoopEvents {
  connected(): void;
  acknowledged(publisher: Publisher, ms: number): void;
  ended(reason: string): void;
}

class Publisher implements PacketTaker {
  readonly connection: Connection;
  readonly #chunk: PublishChunk;
  readonly #events: LoopEvents;
  #sequence = 0;
  #sentAt = 0;

  constructor(plan: ClosedLoopPlan, index: number, events: LoopEvents) {
    const { port, payloadBytes, topic } = plan;
    const flow = {
      port,
      publishers: 1,
      subscribers: 0,
      qos: 1,
      payloadBytes,
      topic,
      messages: 0,
      seconds: 0,
    } as const;
    this.#events = events;
    this.#chunk = new PublishChunk({ ...flow, rate: 1 }, index, index);
    this.connection = new Connection(flow, this, (reason) => events.ended(`publisher ${index}: ${reason}`));
    this.connection.introduce(`closed-loop-${index}`);
  }

  send(): void {
    this.#sentAt = exactNow();
    this.#chunk.stamp(0, this.#sequence++, this.#sentAt);
    // The bytes are changed only after the acknowledgement, when they have long been written.
    this.connection.write(this.#chunk.bytes.subarray(0, this.#chunk.packetBytes));
  }

  packet(type: number, _flags: number, bytes: Buffer, at: number): void {
    if (type === PUBACK) {
      this.#events.acknowledged(this, exactNow() - this.#sentAt);
    } else if (type === CONNACK) {
      checkConnack(bytes, at);
      this.#events.connected();
    }
  }

  turn(): void {}
}
