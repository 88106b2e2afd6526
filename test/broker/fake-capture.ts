import type { Capture, Captured, Origin } from '../../src/broker/capture.js';

export interface Taken {
  readonly key: number;
  readonly clientId: string | null;
  readonly topic: string;
  readonly payload: string;
}

/** Remembers what it was given; has room, refuses and makes wait as it is told. */
export class FakeCapture implements Capture {
  readonly taken: Taken[] = [];
  /** Whether there is room for a message. */
  hasRoom: (packet: Captured) => boolean = () => true;
  /** Whether a message is refused. */
  refuses: (packet: Captured) => boolean = () => false;
  /** When what is taken is safe. */
  safe: () => Promise<void> | null = () => null;
  #waiting: { packet: Captured; room: () => void }[] = [];
  #onWait: (() => void)[] = [];

  get waiting(): string[] {
    return this.#waiting.map(({ packet }) => packet.payload.toString());
  }

  get payloads(): string[] {
    return this.taken.map(({ payload }) => payload);
  }

  get keys(): number[] {
    return this.taken.map(({ key }) => key);
  }

  origin(clientId: string | null): Origin {
    return { clientId };
  }

  admit(_origin: Origin, packet: Captured): boolean {
    return this.hasRoom(packet);
  }

  take({ clientId }: Origin, packet: Captured, key: number): boolean {
    this.taken.push({ key, clientId, topic: packet.topic, payload: packet.payload.toString() });
    return !this.refuses(packet);
  }

  wait(_origin: Origin, packet: Captured, room: () => void): void {
    this.#waiting.push({ packet, room });
    for (const callback of this.#onWait.splice(0)) callback();
  }

  /** Resolves when that many messages wait. */
  async waits(count: number): Promise<void> {
    while (this.#waiting.length < count) await new Promise<void>((resolve) => this.#onWait.push(resolve));
  }

  /** From now on there is room. */
  makeRoom(): void {
    this.hasRoom = () => true;
    for (const { room } of this.#waiting.splice(0)) room();
  }

  /** Room for the first that waits, and nobody else. */
  makeRoomForOne(): void {
    const { hasRoom } = this;
    const first = this.#waiting.shift();
    this.hasRoom = (packet) => packet === first?.packet;
    first?.room();
    this.hasRoom = hasRoom;
  }
}

export function noRoom(): boolean {
  return false;
}

export function strictlyRising(keys: readonly number[]): boolean {
  return keys.every((key, i) => Number.isSafeInteger(key) && (i === 0 || key > keys[i - 1]));
}
