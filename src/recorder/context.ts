import type { Disk } from './disk.js';
import type { Encoder } from './parquet.js';
import type { Report } from './protocol.js';
import type { Room } from './room.js';
import type { Timeline } from './timeline.js';

/** What all streams of the worker share. */
export interface RecorderContext {
  readonly disk: Disk;
  readonly room: Room;
  readonly encoder: Encoder;
  readonly dataDir: string;
  readonly bootId: string;
  readonly version: string;
  readonly timeline: Timeline;
  /** Monotonic, milliseconds. */
  now(): number;
  post(report: Report): void;
}
