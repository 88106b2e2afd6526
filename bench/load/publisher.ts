import { Connection, checkConnack, type PacketTaker } from './connection.js';
import { CONNACK, PUBACK, PUBCOMP, PUBREC, PUBREL, PublishChunk, putAnswer } from './packets.js';
import { exactNow, type FlowPlan } from './plan.js';

/** Enough that data which is compressed in pages of 128 KiB does not repeat within one. */
const CHUNKS = 8;
const ANSWER_BYTES = 4;

export interface ClientEvents {
  ready(): void;
  /** Something was received, or written and may be written again. */
  progress(): void;
  ended(reason: string): void;
}

/** One client that publishes. */
export class Publisher implements PacketTaker {
  sent = 0;
  /** QoS 1: PUBACK, QoS 2: PUBCOMP. */
  acknowledged = 0;
  readonly packetBytes: number;
  readonly connection: Connection;
  /** Those that are not being written. */
  readonly #free: PublishChunk[];
  readonly #events: ClientEvents;
  #releases = Buffer.alloc(4096);
  #releaseBytes = 0;

  constructor(plan: FlowPlan, index: number, clientId: string, events: ClientEvents) {
    this.#events = events;
    this.#free = Array.from({ length: CHUNKS }, (_, n) => new PublishChunk(plan, index, index * CHUNKS + n));
    this.packetBytes = this.#free[0].packetBytes;
    this.connection = new Connection(plan, this, (reason) => events.ended(`publisher ${index}: ${reason}`));
    this.connection.introduce(clientId);
  }

  /** Writes at most `most` messages now, which were due `late` ms ago; how many. */
  send(most: number, late: number): number {
    let done = 0;
    while (done < most) {
      const chunk = this.#free.shift();
      if (chunk === undefined) break;
      const count = Math.min(chunk.packets, most - done);
      const due = exactNow() - late;
      for (let i = 0; i < count; i++) chunk.stamp(i, this.sent++, due);
      done += count;
      this.connection.write(chunk.bytes.subarray(0, count * chunk.packetBytes), () => {
        this.#free.push(chunk);
        this.#events.progress();
      });
    }
    return done;
  }

  packet(type: number, _flags: number, bytes: Buffer, at: number): void {
    if (type === CONNACK) {
      checkConnack(bytes, at);
      this.#events.ready();
    } else if (type === PUBACK || type === PUBCOMP) {
      this.acknowledged++;
    } else if (type === PUBREC) {
      if (this.#releaseBytes + ANSWER_BYTES > this.#releases.length) this.#release();
      this.#releaseBytes = putAnswer(this.#releases, this.#releaseBytes, PUBREL, bytes.readUInt16BE(at));
    }
  }

  turn(): void {
    this.#release();
    this.#events.progress();
  }

  #release(): void {
    if (this.#releaseBytes === 0) return;
    this.connection.write(Uint8Array.prototype.slice.call(this.#releases, 0, this.#releaseBytes));
    this.#releaseBytes = 0;
  }
}
