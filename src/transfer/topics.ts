/** Names on the wire. Everything that comes in with a topic is hostile until it has passed the patterns here. */

/** Where the broker publishes transfer requests. */
export const TRANSFER_TOPIC = '$STREAM/transfer';

export const ID_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;

/** Names that the catalogue serves: `<firstKey>~<lastKey>_<seq>.parquet`, or what somebody renamed that to. */
export const FILE_PATTERN = /^[A-Za-z0-9_][A-Za-z0-9._~=-]{0,200}\.parquet(\.enc)?$/;

/** `init`, `fin`, `abort`, or the offset of a chunk in bytes. */
export type Step = 'init' | 'fin' | 'abort' | number;

export interface FileTopic {
  readonly id: string;
  readonly name: string;
  readonly step: Step;
}

export function fileTopic(id: string, name: string, step: Step): string {
  return `ParquetFile/${id}/${name}/${step}`;
}

/** The parts of a topic of a file; null where anything in it is not exactly as `fileTopic` writes it. */
export function parseFileTopic(topic: string): FileTopic | null {
  const [prefix, id = '', name = '', last = '', ...rest] = topic.split('/');
  const step = parseStep(last);
  return prefix === 'ParquetFile' &&
    rest.length === 0 &&
    ID_PATTERN.test(id) &&
    FILE_PATTERN.test(name) &&
    step !== null
    ? { id, name, step }
    : null;
}

function parseStep(text: string): Step | null {
  if (text === 'init' || text === 'fin' || text === 'abort') return text;
  // One spelling an offset: no sign, no leading zero, below 10^15 and so exact.
  return /^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : null;
}
