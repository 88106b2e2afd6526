/** Counters of a stream since the start of the process. */
export class StreamStats {
  captured = 0;
  capturedBytes = 0;
  /** Captured, then overwritten before it was recorded, or lost with the recorder. */
  dropped = 0;
  /** Routed but not captured: the ring was full. */
  refused = 0;
  /** Routed but not captured: larger than the ring. */
  tooLarge = 0;
  flushes = 0;
  flushSeconds = 0;
  flushFailures = 0;
  rowsWritten = 0;
  bytesWritten = 0;
  /** Files that others were made of. */
  filesMerged = 0;
  /** Bytes of the files made of others. */
  bytesMerged = 0;
  mergeFailures = 0;
  journalBytes = 0;
  journalSyncs = 0;
  /** More was written than may be. */
  overBudget = false;
  /** To make room on a full disk. */
  deletedFiles = 0;
  deletedRows = 0;
}
