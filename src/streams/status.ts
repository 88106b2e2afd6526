import type { Catalog, Totals } from '../catalog/catalog.js';
import type { StreamConfig } from '../config/schema.js';
import type { Stream } from '../exchange/stream.js';
import type { DiskPolicy, StreamState } from './disk-policy.js';
import type { RecoveryReport } from './recovery.js';

export interface StreamStatus {
  readonly state: StreamState;
  /** Why what was written last failed; null: it did not. */
  readonly failure: string | null;
  readonly durability: StreamConfig['durability'];
  readonly onDiskFull: StreamConfig['onDiskFull'];
  readonly overWriteBudget: boolean;
  /** Messages since the start of the process. */
  readonly messages: {
    readonly captured: number;
    readonly refused: number;
    readonly dropped: number;
    readonly tooLarge: number;
    readonly deleted: number;
  };
  /** What is in no file. */
  readonly ring: { readonly messages: number; readonly bytes: number };
  /** `loading`: more of them, that are not looked at yet after the start. */
  readonly files: Totals & { readonly loading: number };
  readonly gaps: number;
  readonly recovery: RecoveryReport;
}

export function statusOf(
  stream: Stream,
  config: StreamConfig,
  disk: DiskPolicy,
  catalog: Catalog,
  recovery: RecoveryReport,
): StreamStatus {
  const { gaps, name, ring, stats } = stream;
  const { durability, onDiskFull } = config;
  const { captured, refused, dropped, tooLarge, deletedRows: deleted, overBudget } = stats;
  return {
    state: disk.state,
    failure: disk.failure,
    durability,
    onDiskFull,
    overWriteBudget: overBudget,
    messages: { captured, refused, dropped, tooLarge, deleted },
    ring: { messages: ring.written - ring.reusable, bytes: ring.pendingBytes },
    files: { ...catalog.totals(name), loading: catalog.loading(name) },
    gaps: gaps.count,
    recovery,
  };
}
