import { Connection, checkConnack } from './connection.js';
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
export class Subscriber {
  received = 0;
  wrong = 0;
  /** The number of the next message of each publisher. */
  readonly next: Uint32Array;
  /** Pairs as in `FlowResult`. */
  readonly latencies: number[] = [];
  readonly connection: Connection;
  readonly #plan: FlowPlan;
  readonly #events: ClientEvents;
  readonly #answers = Buffer.alloc(4096);
  #answerBytes = 0;
  /** When the packets being looked at were received; 0: not asked for yet. */
  #now = 0;

  constructor(plan: FlowPlan, index: number, clientId: string, events: ClientEvents) {
    this.#plan = plan;
    this.#events = events;
    this.next = new Uint32Array(plan.publishers);
    this.connection = new Connection(
      plan.port,
      {
        packet: (type, flags, bytes, at) => this.#heed(type, flags, bytes, at),
        turn: () => this.#turn(),
      },
      (reason) => events.ended(`subscriber ${index}: ${reason}`),
    );
    this.connection.introduce(clientId);
  }

  #heed(type: number, flags: number, bytes: Buffer, at: number): void {
    if (type === PUBLISH) {
      this.#take((flags >> 1) & 3, bytes, at);
    } else if (type === PUBREL) {
      this.#answer(PUBCOMP, bytes.readUInt16BE(at));
    } else if (type === CONNACK) {
      checkConnack(bytes, at);
      this.connection.socket.write(subscribePacket(`${this.#plan.topic}/#`, this.#plan.qos));
    } else if (type === SUBACK) {
      this.#events.ready();
    }
  }

  #take(qos: number, bytes: Buffer, at: number): void {
    let stamp = at + 2 + ((bytes[at] << 8) | bytes[at + 1]);
    if (qos > 0) {
      this.#answer(qos === 1 ? PUBACK : PUBREC, bytes.readUInt16BE(stamp));
      stamp += 2;
    }
    const publisher = bytes.readUInt32LE(stamp);
    const sequence = bytes.readUInt32LE(stamp + 4);
    if (qos !== this.#plan.qos || this.next[publisher] !== sequence) this.wrong++;
    this.next[publisher] = sequence + 1;
    this.received++;
    if (this.#plan.latencies !== true) return;
    if (this.#now === 0) this.#now = exactNow();
    const sent = bytes.readDoubleLE(stamp + 8);
    this.latencies.push(sent, this.#now - sent);
  }

  #turn(): void {
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
    this.connection.socket.write(Uint8Array.prototype.slice.call(this.#answers, 0, this.#answerBytes));
    this.#answerBytes = 0;
  }
}
