/** What a server answers to bytes, and whether it stays: cases by the thousand, each on a connection of its own. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { type BrokerSettings, startBroker } from '../fixture.js';
import { packet, properties, text } from '../raw-packet.js';

export type Version = 3 | 4 | 5;
export const VERSIONS: readonly Version[] = [3, 4, 5];

export interface Case {
  readonly name: string;
  /** CONNECT, or the version of an ordinary one. */
  readonly connect: Buffer | Version;
  /** false: CONNECT is refused, and what it is answered with is all of the answer. */
  readonly letIn?: false;
  readonly send: readonly Buffer[];
  /** All that comes after CONNACK. */
  readonly answer: Buffer;
  /** The connection is there afterwards. */
  readonly stays: boolean;
}

const PINGREQ = Buffer.of(0xc0, 0);
const PINGRESP = Buffer.of(0xd0, 0);
const AT_ONCE = 50;
const PATIENCE_MS = 5000;

let ids = 0;

/** A valid CONNECT of a client that is nobody else. */
export function connectPacket(version: Version, ...flagsAndRest: Buffer[]): Buffer {
  const head = [text(version === 3 ? 'MQIsdp' : 'MQTT'), version, 2, 0, 0];
  return packet(0x10, ...head, ...(version === 5 ? [properties()] : []), clientId(), ...flagsAndRest);
}

export function clientId(): Buffer {
  ids++;
  return text(`c${ids}`);
}

/** After CONNECT: refused with a reason; null: without a word, as MQTT 3 always is. */
export function refused(name: string, version: Version, send: Buffer, reason: number | null): Case {
  const answer = version === 5 && reason !== null ? disconnect(reason) : Buffer.alloc(0);
  return { name: `${name}, MQTT ${version}`, connect: version, send: [send], answer, stays: false };
}

/** After CONNECT: accepted, with an answer or none. */
export function accepted(name: string, version: Version, send: Buffer, ...answer: Buffer[]): Case {
  const all = Buffer.concat(answer);
  return { name: `${name}, MQTT ${version}`, connect: version, send: [send], answer: all, stays: true };
}

/** CONNECT that is refused: by CONNACK with a reason of MQTT 5; null: without a word. */
export function refusedConnect(name: string, connect: Buffer, reason: number | null): Case {
  const answer = reason === null ? Buffer.alloc(0) : Buffer.of(0x20, 3, 0, reason, 0);
  return { name, connect, letIn: false, send: [], answer, stays: false };
}

/** CONNECT that is accepted, whatever CONNACK tells besides. */
export function acceptedConnect(name: string, connect: Buffer): Case {
  return { name, connect, send: [], answer: Buffer.alloc(0), stays: true };
}

export function disconnect(reason: number): Buffer {
  return Buffer.of(0xe0, 1, reason);
}

/** Runs all of them against one broker. */
export function conforms(what: string, cases: readonly Case[], settings: BrokerSettings = {}): void {
  test(`${what}: ${cases.length} cases`, async (t) => {
    const { tcp } = await startBroker(t, settings);
    const failures: string[] = [];
    let next = 0;
    const work = async () => {
      while (next < cases.length) {
        const one = cases[next++];
        const failure = await failureOf(one, tcp.port);
        if (failure !== null) failures.push(`${one.name}: ${failure}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    assert.deepEqual(failures, []);
  });
}

async function failureOf(
  { connect: first, letIn, send, answer, stays }: Case,
  port: number,
): Promise<string | null> {
  const peer = new Peer(connect({ port, host: '127.0.0.1', noDelay: true }));
  try {
    peer.send(typeof first === 'number' ? connectPacket(first) : first);
    if (letIn !== false) await peer.connack();
    for (const bytes of send) peer.send(bytes);
    if (stays) {
      // What is retained is acknowledged when it is stored, perhaps behind what comes after it.
      await peer.until(answer.length);
      peer.send(PINGREQ);
      await peer.until(answer.length + PINGRESP.length);
    } else {
      await peer.closed;
    }
    return peer.compare(stays ? Buffer.concat([answer, PINGRESP]) : answer, !stays);
  } finally {
    peer.socket.destroy();
  }
}

class Peer {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  #received = Buffer.alloc(0);
  #isClosed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('no answer')));
    socket.on('data', (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
    });
    socket.on('error', () => {});
    this.closed = once(socket, 'close').then(() => {
      this.#isClosed = true;
    });
  }

  send(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  /** Until so many bytes are there, or the connection is closed. */
  async until(bytes: number): Promise<void> {
    while (this.#received.length < bytes && !this.#isClosed) {
      await Promise.race([once(this.socket, 'data'), this.closed]);
    }
  }

  /** Takes a CONNACK that says yes out of what has come. */
  async connack(): Promise<void> {
    await this.until(2);
    if (this.#received[0] !== 0x20) return;
    const bytes = 2 + this.#received[1];
    await this.until(bytes);
    if (this.#received[3] === 0) this.#received = this.#received.subarray(bytes);
  }

  compare(expected: Buffer, closed: boolean): string | null {
    if (this.#received.equals(expected) && this.#isClosed === closed) return null;
    const got = `${this.#received.toString('hex')} ${this.#isClosed ? 'closed' : 'open'}`;
    return `got ${got}, expected ${expected.toString('hex')} ${closed ? 'closed' : 'open'}`;
  }
}
