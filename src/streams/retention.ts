import type { Catalog } from '../catalog/catalog.js';
import type { FileEntry } from '../catalog/entry.js';
import type { Clock } from '../clock/clock.js';
import type { StreamConfig } from '../config/schema.js';
import type { Logger } from '../log.js';
import type { GapLogs } from './gap-logs.js';

export interface RetentionParts {
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly gapLogs: GapLogs;
  /** Files are over the limits and not listed any more. */
  readonly onRetired: (stream: string, files: readonly FileEntry[]) => void;
  readonly log: Logger;
}

/** Deletes the files of a stream that are over its limits, and forgets the gaps before what stays. */
export class Retention {
  readonly #parts: RetentionParts;

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  /** There may be something to delete. */
  look({ name, retention }: StreamConfig): void {
    const { catalog, clock, gapLogs, onRetired, log } = this.#parts;
    catalog
      .retain(name, retention, clock.now(), (key) => clock.ageOf(key))
      .then((files) => {
        if (files.length === 0) return;
        gapLogs.of(name).forget(Math.max(...files.map(({ lastKey }) => lastKey)));
        onRetired(name, files);
      })
      .catch((error: unknown) => log.error({ stream: name, err: error }, 'old files could not be deleted'));
  }
}
