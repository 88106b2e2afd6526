import { getHeapStatistics } from 'node:v8';
import type { Message } from '../delivery/message.js';
import type { TopicTable } from '../delivery/topic-table.js';
import { ClientStatus } from './client-status.js';
import type { FigureSources } from './figures.js';
import { LatestValues } from './latest.js';
import { ownMessage } from './own-message.js';
import { ROOT, SysTree } from './tree.js';

export interface SysOptions {
  /** Of the broker. */
  readonly version: string;
  /** Between two updates of `$SYS/broker/...`, ms; 0: none. */
  readonly interval: number;
  readonly clientStatus: boolean;
  /** More values of every update: topics below `$SYS/broker/`, and their texts. */
  readonly more?: () => Iterable<readonly [topic: string, text: string]>;
}

/** A broker that tells nothing of itself. */
export const NO_SYS: SysOptions = { version: '', interval: 0, clientStatus: false };

/** What the broker tells of itself under `$SYS`. */
export class Sys {
  readonly values: LatestValues;
  readonly #tells: boolean;
  readonly tree: SysTree;
  /** null: nobody is told who connects and disconnects. */
  readonly status: ClientStatus | null;

  /** `deliver`: to connected subscribers only. */
  constructor(
    { version, interval, clientStatus, more = () => [] }: SysOptions,
    { stats, sessions, router, retained }: Omit<FigureSources, 'heapBytes'>,
    topics: TopicTable,
    deliver: (message: Message) => void,
  ) {
    this.values = new LatestValues(topics, deliver);
    this.#tells = interval > 0;
    this.tree = new SysTree({
      stats,
      sessions,
      router,
      retained,
      version,
      interval,
      more,
      values: this.values,
      now: () => performance.now(),
      heapBytes: () => getHeapStatistics().used_heap_size,
    });
    const publish = (topic: string, json: string) => deliver(ownMessage(topics, topic, json, false));
    this.status = clientStatus ? new ClientStatus(publish, Date.now) : null;
  }

  /** The latest of something that happens now and then; `topic`: below `$SYS/broker/`. */
  tell(topic: string, text: string): void {
    if (this.#tells) this.values.set(`${ROOT}/${topic}`, text);
  }
}
