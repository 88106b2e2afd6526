import type { AedesClient } from '../aedes-internals.js';
import type { BacklogLimits } from './backlog.js';

export interface OutboxLimits extends BacklogLimits {
  /** Most messages of QoS 1 and 2 that one client has not acknowledged; its Receive Maximum may be less. */
  readonly inflight: number;
  /** What happens to QoS 1 and 2 beyond the bounds. */
  readonly whenClientQueueFull: 'disconnect' | 'drop';
  /** How long publishers wait for a subscriber that takes nothing at all, ms. */
  readonly stalledAfter: number;
}

/** Above this QoS 1 and 2 wait in the outbox: what a reconnected client missed must not use up the bound at once. */
const SOCKET_BYTES = 1024 * 1024;
/** Publishers are not read while so much waits for all of their subscribers. */
const CONGESTED_BYTES = 1024 * 1024;
const CONGESTED_MESSAGES = 1024;

/** How much one client gets at once, of the limits for all and of what it takes itself. */
export class Bounds {
  /** Messages of QoS 1 and 2 in flight. */
  readonly window: number;
  /** Of a packet (MQTT 5 section 3.1.2.11.4). */
  readonly packetBytes: number;
  /** QoS 1 and 2 go out below this. */
  readonly socketBytes: number;
  /** QoS 0 is dropped above this. */
  readonly mostBytes: number;
  readonly congestedBytes: number;
  readonly congestedMessages: number;

  constructor({ receiveMaximum, maximumPacketSize, conn }: AedesClient, limits: OutboxLimits) {
    this.window = Math.min(limits.inflight, receiveMaximum);
    this.packetBytes = maximumPacketSize ?? Number.POSITIVE_INFINITY;
    // Below the stream's own mark there is no 'drain' to go on with.
    const least = conn.writableHighWaterMark;
    this.socketBytes = Math.max(least, Math.min(limits.clientQueueBytes / 2, SOCKET_BYTES));
    this.mostBytes = Math.max(limits.clientQueueBytes, this.socketBytes);
    this.congestedBytes = Math.max(least, Math.min(limits.clientQueueBytes / 2, CONGESTED_BYTES));
    this.congestedMessages = Math.min(Math.ceil(limits.clientQueueMessages / 2), CONGESTED_MESSAGES);
  }
}
