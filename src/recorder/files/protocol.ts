/** What the recorder's worker and the thread that makes files say to each other. */
import type { FileJob, FileOutcome } from './job.js';

export type FilesControl =
  | { readonly kind: 'make'; readonly id: number; readonly job: FileJob }
  | { readonly kind: 'open-reserve' };

export interface FilesReport {
  readonly id: number;
  readonly outcome: FileOutcome;
}
