import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Audit } from '../audit.js';
import { networkOf } from './address.js';
import type { Log } from './log.js';
import type { BrokerStats } from './stats.js';
import { WebSocketStream } from './websocket-stream.js';

export interface AdmissionLimits {
  /** At the same time, those that have not said CONNECT included. */
  readonly connections: number;
  /** Of one IPv4 address or one IPv6 network (/64); 0: no limit. */
  readonly connectionsPerAddress: number;
  /** Accepted in a second. */
  readonly connectionsPerSecond: number;
  /** From the accept to the end of CONNECT, ms. */
  readonly connectTimeout: number;
}

type Refusal = 'full' | 'address' | 'rate';

const REASONS: Readonly<Record<Refusal, string>> = {
  full: 'a connection was refused: there are too many',
  address: 'a connection was refused: there are too many from its address',
  rate: 'a connection was refused: too many come in a second',
};
/** Who floods the broker does not flood its log: one line a reason and second. */
const TELL_EVERY_MS = 1000;

/** What a TLS or WebSocket stream has in common with the socket below it. */
type Ends = Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>;

interface Waiting {
  readonly socket: Socket;
  readonly deadline: NodeJS.Timeout;
}

/**
 * Who is let in, before anything is read: by number, by address and by rate; and for how long without CONNECT,
 * whatever is below it, TLS or WebSocket. Its tables have at most an entry a connection.
 */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #stats: BrokerStats;
  readonly #log: Log;
  readonly #audit: Audit;
  /** Milliseconds that only rise. */
  readonly #now: () => number;
  readonly #byNetwork = new Map<string, number>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #told = new Map<string, number>();
  #inside = 0;
  /** What is left of a second's worth of connections, and when that was so. */
  #left: number;
  #leftAt: number;

  constructor(limits: AdmissionLimits, stats: BrokerStats, log: Log, audit: Audit, now: () => number) {
    this.#limits = limits;
    this.#stats = stats;
    this.#log = log;
    this.#audit = audit;
    this.#now = now;
    this.#left = limits.connectionsPerSecond;
    this.#leftAt = now();
  }

  /** Lets a connection in that was just accepted, or closes it. */
  admit(socket: Socket): boolean {
    const { remoteAddress } = socket;
    // It has gone already.
    if (remoteAddress === undefined) return this.#close(socket);
    const network = networkOf(remoteAddress);
    const refusal = this.#refusal(network);
    if (refusal !== null) {
      this.#stats.refusedConnections[refusal]++;
      this.#tell(REASONS[refusal], {
        address: remoteAddress,
        refused: this.#stats.refusedConnections[refusal],
      });
      this.#refused(remoteAddress, REASONS[refusal]);
      return this.#close(socket);
    }
    this.#left--;
    this.#inside++;
    this.#byNetwork.set(network, (this.#byNetwork.get(network) ?? 0) + 1);
    const ends = endsOf(socket);
    const deadline = setTimeout(() => this.#late(socket, remoteAddress), this.#limits.connectTimeout);
    const waiting = { socket, deadline };
    this.#waiting.set(ends, waiting);
    socket.once('close', () => {
      this.#inside--;
      const others = this.#byNetwork.get(network)! - 1;
      if (others > 0) this.#byNetwork.set(network, others);
      else this.#byNetwork.delete(network);
      clearTimeout(deadline);
      // The same ends may have been used again already.
      if (this.#waiting.get(ends) === waiting) this.#waiting.delete(ends);
    });
    return true;
  }

  /** CONNECT is accepted: what comes on this stream from now on comes from somebody who is known. */
  connected(stream: Duplex): void {
    if (stream instanceof WebSocketStream) stream.connected();
    const ends = endsOf(stream instanceof WebSocketStream ? stream.carrier : (stream as Socket));
    const waiting = this.#waiting.get(ends);
    if (waiting === undefined) return;
    clearTimeout(waiting.deadline);
    this.#waiting.delete(ends);
  }

  /** No descriptor was left, for example. The listener goes on. */
  failed(error: Error): void {
    this.#stats.acceptFailures++;
    this.#tell('a connection could not be accepted', { err: error, failures: this.#stats.acceptFailures });
  }

  /** Ends all that are not connected. */
  close(): void {
    for (const { socket } of this.#waiting.values()) socket.destroy();
  }

  #refusal(network: string): Refusal | null {
    const { connections, connectionsPerAddress, connectionsPerSecond } = this.#limits;
    if (this.#inside >= connections) return 'full';
    if (connectionsPerAddress > 0 && (this.#byNetwork.get(network) ?? 0) >= connectionsPerAddress) {
      return 'address';
    }
    const now = this.#now();
    const added = ((now - this.#leftAt) / 1000) * connectionsPerSecond;
    this.#left = Math.min(connectionsPerSecond, this.#left + added);
    this.#leftAt = now;
    return this.#left < 1 ? 'rate' : null;
  }

  #late(socket: Socket, address: string): void {
    this.#stats.connectTimeouts++;
    this.#refused(address, 'CONNECT did not come in time');
    socket.destroy();
  }

  #refused(address: string, reason: string): void {
    this.#audit.record({ audit: 'refused', client: null, user: null, address, reason });
  }

  #close(socket: Socket): false {
    socket.on('error', (error) => this.#log.debug({ err: error }, 'a refused connection broke'));
    socket.destroy();
    return false;
  }

  #tell(text: string, what: object): void {
    const now = this.#now();
    if (now - (this.#told.get(text) ?? Number.NEGATIVE_INFINITY) < TELL_EVERY_MS) return;
    this.#told.set(text, now);
    this.#log.warn(what, text);
  }
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Ends): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
