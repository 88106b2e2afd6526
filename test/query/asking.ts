/** Requests over a `World`, with everything around them under the control of a test. */
import type { AuditEvent } from '../../src/audit.js';
import type { FileEntry } from '../../src/catalog/entry.js';
import { MqttStreamError } from '../../src/errors.js';
import type { Outgoing } from '../../src/query/outlet.js';
import { type Asked, Requests, type RequestsParts } from '../../src/query/requests.js';
import type { Result } from '../../src/query/result.js';
import { type TransferOrder, Transfers } from '../../src/query/transfers.js';
import { World } from './world.js';

export class Asking {
  readonly world: World;
  readonly requests: Requests;
  readonly sent: Outgoing[] = [];
  readonly orders: TransferOrder[] = [];
  /** What was answered, and after the tail of `$STREAM/result/`. */
  readonly replies: { name: string; result: Result; asked: Asked }[] = [];
  readonly audited: AuditEvent[] = [];
  /** What the outlet answers. */
  busy: () => Promise<void> | null = () => null;
  flush: () => Promise<FileEntry | null> = async () => null;
  hash: (file: FileEntry) => Promise<string> = async ({ seq }) => `${seq}`.padStart(64, '0');

  constructor(world: World, more: Partial<RequestsParts> = {}) {
    this.world = world;
    const transfers = new Transfers(world.catalog, '/data', 4096, (order) => {
      this.orders.push(order);
      return true;
    });
    const { pathOf, reader } = world.parts;
    this.requests = new Requests({
      catalog: world.catalog,
      reader,
      transfers,
      pathOf,
      outlet: {
        send: (message) => {
          this.sent.push(message);
          return this.busy();
        },
      },
      pace: { now: () => 0, sleep: async () => {} },
      stream: (name) => {
        if (name !== world.stream.name)
          throw new MqttStreamError('STREAM_NOT_FOUND', [name, world.stream.name]);
        return world.stream;
      },
      flush: () => this.flush(),
      status: () => ({ state: 'ok' }),
      hash: (file) => this.hash(file),
      // Wall time is key time.
      clock: {
        now: () => world.lastKey,
        wallNow: () => world.lastKey,
        keysOf: (start, end) => [{ start, end }],
        correctionsWithin: (start) => [{ from: start, offset: 0 }],
      },
      reply: (name, result, asked) => this.replies.push({ name, result, asked }),
      limit: 3,
      audit: { record: (event) => this.audited.push(event) },
      ...more,
    });
  }

  static async make(more: Partial<RequestsParts> = {}): Promise<Asking> {
    return new Asking(await World.make({ messages: 64 }), more);
  }

  ask(verb: string, payload: unknown, clientId = 'client-1', allowed = true): Promise<Result> {
    const bytes =
      typeof payload === 'string' || payload instanceof Uint8Array
        ? Buffer.from(payload as string)
        : Buffer.from(JSON.stringify(payload));
    return this.requests.answer({
      verb,
      payload: bytes,
      clientId,
      responseTopic: undefined,
      correlationData: undefined,
      allowed,
    });
  }

  get sentKeys(): number[] {
    return this.sent.map(({ topic }) => Number(topic.split('/')[2]));
  }
}
