import type { Disk } from './disk.js';
import type { Files } from './files/job.js';
import type { Sealing } from './files/writer.js';
import type { RecordedStream, Report } from './protocol.js';
import type { Room } from './room.js';
import type { Timeline } from './timeline.js';

/** What all streams of the worker share. */
export interface RecorderContext {
  readonly disk: Disk;
  readonly room: Room;
  readonly files: Files;
  readonly dataDir: string;
  readonly timeline: Timeline;
  readonly sealing: Sealing;
  /** Monotonic, milliseconds. */
  now(): number;
  post(report: Report): void;
}

/** How what is kept of a stream is encrypted; `null`: not at all. */
export function sealingOf({ sealing }: RecorderContext, { encryption }: RecordedStream): Sealing | null {
  return encryption?.enabled ? sealing : null;
}
