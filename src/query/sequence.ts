import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Catalog } from '../catalog/catalog.js';
import type { FileEntry, KeyRange } from '../catalog/entry.js';
import { MqttStreamError, textOf } from '../errors.js';
import { copyMessage, emptyParts, type Message } from '../ring/record.js';
import { lowerBound } from '../ring/search.js';
import type { RingWriter } from '../ring/writer.js';
import { topicMatcher } from '../topics.js';
import type { FileReader } from './file-reader.js';

/** What of the ring is copied in one turn: the broker's thread has other things to do. */
const TURN_MESSAGES = 256;
const TURN_BYTES = 256 * 1024;

/** `EMFILE`, `KEY_MISSING`; not `Z_DATA_ERROR` or `ERR_OUT_OF_RANGE`, which a decoder says of contents. */
const NOT_OF_CONTENTS = /^(E[A-Z0-9]+|KEY_[A-Z]+)$/;

export interface SequenceParts {
  readonly stream: string;
  readonly ring: RingWriter;
  readonly catalog: Catalog;
  readonly reader: FileReader;
  /** Absolute path of a file of the catalogue. */
  readonly pathOf: (file: FileEntry) => string;
  /** Whether a message on this topic is for who asks; null: every one is. */
  readonly mayRead: ((topic: string) => boolean) | null;
  /** Told which keys are passed over now because they are in no file, or not yet, and no longer in the ring. */
  readonly onPassed?: (keys: KeyRange) => void;
}

/**
 * The messages of a stream in `range`, in key order, each once, in batches: from files, and from the ring where that
 * still has them. Between two batches messages may move from the ring to a file; the sequence goes by key and takes
 * the next one from where it is then. A file that cannot be read is set aside and passed over.
 */
export async function* sequence(
  parts: SequenceParts,
  range: KeyRange,
  topic: string | null,
): AsyncGenerator<Message[], void> {
  const { catalog, onPassed, ring, stream } = parts;
  let next = range.start;
  while (next <= range.end) {
    const { keys, mask } = ring.memory;
    const ringStart = ring.oldest < ring.written ? keys[ring.oldest & mask] : Number.POSITIVE_INFINITY;
    if (next < ringStart) {
      const file = catalog.first(stream, { start: next, end: range.end });
      if (file !== undefined && file.firstKey < ringStart) {
        if (file.firstKey > next) onPassed?.({ start: next, end: file.firstKey - 1 });
        const end = Math.min(file.lastKey, range.end);
        yield* fileMessages(parts, file, { start: next, end }, topic);
        next = file.lastKey + 1;
        continue;
      }
      onPassed?.({ start: next, end: Math.min(ringStart - 1, range.end) });
      if (ringStart > range.end) return;
      next = ringStart;
    }
    const batch = ringMessages(ring, next, range.end, wantedBy(topic, parts.mayRead));
    if (batch.messages.length > 0) yield batch.messages;
    if (batch.next === null) return;
    next = batch.next;
    if (batch.messages.length === 0) await nextTurn();
  }
}

async function* fileMessages(
  { catalog, reader, pathOf, mayRead }: SequenceParts,
  file: FileEntry,
  { start, end }: KeyRange,
  topic: string | null,
): AsyncGenerator<Message[], void> {
  const unpin = catalog.pin(file);
  try {
    for await (const batch of reader.rows({ path: pathOf(file), start, end, topic })) {
      yield mayRead === null ? batch : batch.filter((message) => mayRead(message.topic));
    }
  } catch (error) {
    if (!(error instanceof MqttStreamError) || error.code !== 'FILE_CORRUPT') throw error;
    // Only contents are a reason to set a file aside: what the system refused now it may give later.
    const code = (error.cause as NodeJS.ErrnoException | undefined)?.code ?? '';
    if (NOT_OF_CONTENTS.test(code) && code !== 'ENOENT') {
      throw new MqttStreamError('TRANSFER_READ_FAILED', [file.path, code], { cause: error });
    }
    await catalog.drop(file, textOf(error));
  } finally {
    unpin();
  }
}

function wantedBy(filter: string | null, mayRead: SequenceParts['mayRead']): (topic: string) => boolean {
  const matches = filter === null ? () => true : topicMatcher(filter);
  return mayRead === null ? matches : (topic) => matches(topic) && mayRead(topic);
}

/** At most one turn's messages from key `start` on; `next`: where to go on, null if nothing is left. */
function ringMessages(
  ring: RingWriter,
  start: number,
  end: number,
  wanted: (topic: string) => boolean,
): { messages: Message[]; next: number | null } {
  const { memory } = ring;
  const parts = emptyParts();
  const messages: Message[] = [];
  let bytes = 0;
  let looked = 0;
  for (
    let sequence = lowerBound(memory, start, ring.oldest, ring.written);
    sequence < ring.written;
    sequence++
  ) {
    const key = memory.keys[sequence & memory.mask];
    if (key > end) return { messages, next: null };
    if (looked++ >= TURN_MESSAGES || bytes >= TURN_BYTES) return { messages, next: key };
    const message = copyMessage(memory, sequence, parts);
    if (!wanted(message.topic)) continue;
    messages.push(message);
    bytes += message.payload.length;
  }
  return { messages, next: null };
}
