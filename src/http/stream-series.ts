import type { Stream } from '../exchange/stream.js';
import type { StreamStatus } from '../streams/status.js';
import type { Series } from './series.js';

/** A stream at the moment of a scrape. */
export interface StreamNow {
  readonly stream: Stream;
  readonly files: StreamStatus['files'];
  /** Its last file could not be written. */
  readonly failing: boolean;
  readonly recovery: StreamStatus['recovery'];
}

/** Counters count since the start of the process. */
export const STREAM_SERIES: readonly Series<StreamNow>[] = [
  {
    kind: 'counter',
    name: 'captured_messages_total',
    help: 'Messages copied into the ring.',
    read: ({ stream }) => stream.stats.captured,
  },
  {
    kind: 'counter',
    name: 'captured_bytes_total',
    help: 'Payload bytes copied into the ring.',
    read: ({ stream }) => stream.stats.capturedBytes,
  },
  {
    kind: 'counter',
    name: 'dropped_messages_total',
    help: 'Messages captured and then lost: overwritten before they were recorded, or lost with the recorder.',
    read: ({ stream }) => stream.stats.dropped,
  },
  {
    kind: 'counter',
    name: 'refused_messages_total',
    help: 'Messages routed but not captured: the ring was full, or the disk did not take them.',
    read: ({ stream }) => stream.stats.refused,
  },
  {
    kind: 'counter',
    name: 'too_large_messages_total',
    help: 'Messages routed but not captured, because they are larger than the ring.',
    read: ({ stream }) => stream.stats.tooLarge,
  },
  {
    kind: 'gauge',
    name: 'ring_messages',
    help: 'Messages in the ring that are in no file.',
    read: ({ stream: { ring } }) => ring.written - ring.reusable,
  },
  {
    kind: 'gauge',
    name: 'ring_bytes',
    help: 'Bytes in the ring that are in no file.',
    read: ({ stream }) => stream.ring.pendingBytes,
  },
  {
    kind: 'gauge',
    name: 'ring_capacity_messages',
    help: 'Messages that the ring holds at most.',
    read: ({ stream }) => stream.ring.memory.messages,
  },
  {
    kind: 'gauge',
    name: 'ring_capacity_bytes',
    help: 'Bytes that the ring holds at most.',
    read: ({ stream }) => stream.ring.memory.size,
  },
  {
    kind: 'counter',
    name: 'flushes_total',
    help: 'Files written.',
    read: ({ stream }) => stream.stats.flushes,
  },
  {
    kind: 'counter',
    name: 'flush_seconds_total',
    help: 'Time spent encoding and writing files.',
    read: ({ stream }) => stream.stats.flushSeconds,
  },
  {
    kind: 'counter',
    name: 'flush_failures_total',
    help: 'Times that files could no longer be written.',
    read: ({ stream }) => stream.stats.flushFailures,
  },
  {
    kind: 'gauge',
    name: 'writer_failing',
    help: '1 while files cannot be written and are tried again, else 0.',
    read: ({ failing }) => Number(failing),
  },
  {
    kind: 'gauge',
    name: 'recovered_messages',
    help: 'Messages that the process before had in its journal only, and that are in files now.',
    read: ({ recovery }) => recovery.messages,
  },
  {
    kind: 'gauge',
    name: 'recovery_torn_bytes',
    help: 'Bytes of that journal that were no whole block.',
    read: ({ recovery }) => recovery.tornBytes,
  },
  {
    kind: 'gauge',
    name: 'recovery_lost_seconds',
    help: 'Messages may be missing within so many seconds behind the last one of the process before; 0: none are.',
    read: ({ recovery }) => recovery.lostAtMostMs / 1000,
  },
  {
    kind: 'gauge',
    name: 'recovering',
    help: '1 while that journal is being put into files, else 0.',
    read: ({ recovery }) => Number(recovery.running),
  },
  {
    kind: 'gauge',
    name: 'stopped',
    help: '1 while nothing is captured because the disk does not take it, else 0.',
    read: ({ stream }) => Number(stream.stopped),
  },
  {
    kind: 'counter',
    name: 'deleted_files_total',
    help: 'Files deleted to make room on a full disk.',
    read: ({ stream }) => stream.stats.deletedFiles,
  },
  {
    kind: 'counter',
    name: 'deleted_rows_total',
    help: 'Messages in files that were deleted to make room on a full disk.',
    read: ({ stream }) => stream.stats.deletedRows,
  },
  {
    kind: 'counter',
    name: 'written_rows_total',
    help: 'Messages written to files.',
    read: ({ stream }) => stream.stats.rowsWritten,
  },
  {
    kind: 'counter',
    name: 'written_bytes_total',
    help: 'Bytes of the files written.',
    read: ({ stream }) => stream.stats.bytesWritten,
  },
  {
    kind: 'counter',
    name: 'merged_files_total',
    help: 'Files that were merged with others.',
    read: ({ stream }) => stream.stats.filesMerged,
  },
  {
    kind: 'counter',
    name: 'merged_bytes_total',
    help: 'Bytes of the files made by merging.',
    read: ({ stream }) => stream.stats.bytesMerged,
  },
  {
    kind: 'counter',
    name: 'merge_failures_total',
    help: 'Times that files could not be merged.',
    read: ({ stream }) => stream.stats.mergeFailures,
  },
  {
    kind: 'counter',
    name: 'journal_bytes_total',
    help: 'Bytes written to the journal, as of the last file.',
    read: ({ stream }) => stream.stats.journalBytes,
  },
  {
    kind: 'counter',
    name: 'journal_syncs_total',
    help: 'Times that the journal was synced, as of the last file.',
    read: ({ stream }) => stream.stats.journalSyncs,
  },
  {
    kind: 'gauge',
    name: 'over_write_budget',
    help: '1 while more was written than writeBudget allows, and less is written, else 0.',
    read: ({ stream }) => Number(stream.stats.overBudget),
  },
  {
    kind: 'gauge',
    name: 'files',
    help: 'Files that are kept.',
    read: ({ files }) => files.files,
  },
  {
    kind: 'gauge',
    name: 'file_bytes',
    help: 'Bytes of the files that are kept.',
    read: ({ files }) => files.bytes,
  },
  {
    kind: 'gauge',
    name: 'loading_files',
    help: 'Files found at the start that are not read yet and missing in answers.',
    read: ({ files }) => files.loading,
  },
  {
    kind: 'gauge',
    name: 'waiting_publishers',
    help: 'Publishers that wait for room in the ring.',
    read: ({ stream }) => stream.waiting,
  },
  {
    kind: 'gauge',
    name: 'gaps',
    help: 'Stretches of time in which messages are missing.',
    read: ({ stream }) => stream.gaps.count,
  },
];
