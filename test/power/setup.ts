/** What a process is started with, and where. */
import type { Retention } from '../../src/catalog/retention.js';
import type { StreamOptions } from '../../src/exchange/stream.js';
import type { Encoder } from '../../src/recorder/files/parquet.js';
import type { RecordedStream } from '../../src/recorder/protocol.js';
import type { Keyring } from '../../src/seal/keyring.js';
import type { OnDiskFull } from '../../src/streams/disk-policy.js';
import type { FakeTime } from '../clock/machine.js';
import type { GapLedger } from './gap-ledger.js';
import type { Ledger } from './ledger.js';
import type { PowerDisk } from './power-disk.js';

export const DATA_DIR = '/data';

/** Of its stream. */
export interface Setup {
  readonly stream: RecordedStream;
  readonly ring: StreamOptions['ring'];
  readonly retention: Retention;
  readonly onDiskFull: OnDiskFull;
  /** Bytes of the disk that are left free. */
  readonly reserve: number;
  /** Raw bytes of what is merged, at most; 0: nothing is. */
  readonly mergeBelow: number;
  readonly encoder: Encoder;
  /** Files are made while the recorder does other things. */
  readonly deferred: boolean;
}

export interface Surroundings extends Setup {
  readonly disk: PowerDisk;
  readonly time: FakeTime;
  readonly ledger: Ledger;
  readonly gapLedger: GapLedger;
  readonly keyring: Keyring;
  readonly random: () => number;
  /** The disk fails now and then, or has no room: errors are to be expected. */
  readonly failing: boolean;
}
