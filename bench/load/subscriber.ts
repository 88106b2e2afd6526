import { Connection, checkConnack, type PacketTaker } from './connection.js';
import {
  CONNACK,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  putAnswer,
  SUBACK,
  subscribePacket,
} from './packets.js';
import { exactNow, type FlowPlan } from './plan.js';
import type { ClientEvents } from './publisher.js';

const ANSWER_BYTES = 4;

/** One client that receives, and checks that of each publisher it gets everything once and in order. */
export class Subscriber implements PacketTaker {
  received = 0;
  wrong = 0;
  /** The number of the next message of each publisher. */
  readonly next: Uint32Array;
  /** Pairs as in `FlowResult`. */
  readonly latencies: number[] = [];
  readonly connection: Connection;
  readonly #events: ClientEvents;
  readonly #filter: string;
  readonly #qos: number;
  readonly #timed: boolean;
  readonly #answers = Buffer.alloc(4096);
  #answerBytes = 0;
  /** When the packets being looked at were received; 0: not asked for yet. */
  #now = 0;

  constructor(plan: FlowPlan, index: number, clientId: string, events: ClientEvents) {
    this.#events = events;
    this.#filter = `${plan.topic}/${plan.pairs === true ? index : '#'}`;
    this.#qos = plan.qos;
    this.#timed = plan.latencies === true;
    this.next = new Uint32Array(plan.publishers);
    this.connection = new Connection(plan, this, (reason) => events.ended(`subscriber ${index}: ${reason}`));
    this.connection.introduce(clientId);
  }

  packet(type: number, flags: number, bytes: Buffer, at: number): void {
    if (type === PUBLISH) {
      this.#take((flags >> 1) & 3, bytes, at);
    } else if (type === PUBREL) {
      this.#answer(PUBCOMP, bytes.readUInt16BE(at));
    } else if (type === CONNACK) {
      checkConnack(bytes, at);
      this.connection.write(subscribePacket([this.#filter], this.#qos));
    } else if (type === SUBACK) {
      this.#events.ready();
    }
  }

  #take(qos: number, bytes: Buffer, at: number): void {
    let stamp = at + 2 + ((bytes[at] << 8) | bytes[at + 1]);
    if (qos > 0) {
      this.#answer(qos === 1 ? PUBACK : PUBREC, (bytes[stamp] << 8) | bytes[stamp + 1]);
      stamp += 2;
    }
    const publisher = number(bytes, stamp);
    const sequence = number(bytes, stamp + 4);
    if (qos !== this.#qos || this.next[publisher] !== sequence) this.wrong++;
    this.next[publisher] = sequence + 1;
    this.received++;
    if (!this.#timed) return;
    if (this.#now === 0) this.#now = exactNow();
    const sent = bytes.readDoubleLE(stamp + 8);
    this.latencies.push(sent, this.#now - sent);
  }

  turn(): void {
    this.#flush();
    this.#now = 0;
    this.#events.progress();
  }

  #answer(type: number, id: number): void {
    if (this.#answerBytes + ANSWER_BYTES > this.#answers.length) this.#flush();
    this.#answerBytes = putAnswer(this.#answers, this.#answerBytes, type, id);
  }

  #flush(): void {
    if (this.#answerBytes === 0) return;
    this.connection.write(Uint8Array.prototype.slice.call(this.#answers, 0, this.#answerBytes));
    this.#answerBytes = 0;
  }
}

/** 32 bits, as `readUInt32LE` has them, without its checks. */
function number(bytes: Buffer, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}
