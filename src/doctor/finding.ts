/** What kinds of findings there are; stable, for programs; docs/recovery.md says what to do. */
export const FINDING_KINDS = [
  /** A Parquet file is no whole one, or its rows are not what its footer says. */
  'file-corrupt',
  /** The disk or the rights refuse something. */
  'unreadable',
  /** It is encrypted, and its key was not given. */
  'locked',
  /** A Parquet file of another stream, or of somebody else. */
  'file-foreign',
  /** A name or a folder does not tell the keys of its file. */
  'file-misnamed',
  'files-overlap',
  /** The broker leaves it alone. */
  'unknown-item',
  /** Of an earlier process that did not finish. */
  'leftover',
  /** A file that could not be read was set aside. */
  'set-aside',
  'journal-corrupt',
  'journal-torn',
  'gaps-corrupt',
  'gaps-torn',
  'clock-corrupt',
  /** The machine's clock is not where the last message was. */
  'clock-off',
  /** Others than the user may read it, or the user may not. */
  'access',
  'space',
  'sessions',
] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

/** Something that is not as it should be. */
export interface Finding {
  readonly kind: FindingKind;
  /** Relative to the data folder. */
  readonly path: string;
  /** What is wrong, as a clause behind the path. */
  readonly what: string;
  /** What to do. */
  readonly advice: string;
}

/** Something worth knowing. */
export interface Note {
  readonly path: string;
  readonly what: string;
}

/** Takes what an examination finds, as it is found. */
export interface Report {
  finding(finding: Finding): void;
  note(note: Note): void;
  /** So many files of so many are read. */
  progress(files: number, of: number): void;
}
