import type { Catalog } from '../catalog/catalog.js';
import type { FileEntry, KeyRange } from '../catalog/entry.js';
import { MqttStreamError } from '../errors.js';
import type { RingWriter } from '../ring/writer.js';
import type { FileReader } from './file-reader.js';
import { gapsOfAnswer, type QueriedGap } from './gaps.js';
import type { Outlet } from './outlet.js';
import { joined, overlap } from './ranges.js';
import { type Pace, type Replayed, type ReplayOrder, replay } from './replay.js';
import type { FilesRequest, ReplayRequest, Request, SearchRequest } from './request.js';
import type { Result } from './result.js';
import type { SequenceParts } from './sequence.js';
import type { Transfers } from './transfers.js';

/** A stream as requests see it. */
export interface QueriedStream {
  readonly name: string;
  /** Filters. */
  readonly topics: readonly string[];
  readonly ring: RingWriter;
  gapsWithin(ranges: readonly KeyRange[]): QueriedGap[];
}

/** The clock as requests see it; microseconds. */
export interface QueriedClock {
  /** The next key. */
  now(): number;
  wallNow(): number;
  /** The keys of a stretch of wall time. */
  keysOf(start: number, end: number): KeyRange[];
  /** What turns keys into wall time: `offset` is added to those from `from` on, until the next one. */
  correctionsWithin(start: number, end: number): { from: number; offset: number }[];
}

export interface AnswerParts {
  readonly catalog: Catalog;
  readonly reader: FileReader;
  readonly transfers: Transfers;
  readonly outlet: Outlet;
  readonly pace: Pace;
  /** Throws STREAM_NOT_FOUND. */
  readonly stream: (name: string) => QueriedStream;
  /** How a stream is: JSON. */
  readonly status: (stream: string) => object;
  /** The file that the flush made; null if there was nothing to write. */
  readonly flush: (stream: string) => Promise<FileEntry | null>;
  readonly pathOf: (file: FileEntry) => string;
  readonly hash: (file: FileEntry) => Promise<string>;
  readonly clock: QueriedClock;
}

/** What who asks may do. */
export interface Rights {
  /** Whether the history of a topic, or of all that a filter matches. */
  mayRead(filter: string): boolean;
  mayPublish(topic: string): boolean;
}

const EVERYTHING = [{ start: 0, end: Number.MAX_SAFE_INTEGER }];

/** What each request gets: messages, files, gaps. */
export class Answers {
  readonly #parts: AnswerParts;
  readonly #signal: AbortSignal;

  /** `signal`: ends replays. */
  constructor(parts: AnswerParts, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
  }

  /** Rejects with a code of the table, or with the reason of the signal. */
  async to(request: Request, rights: Rights | undefined): Promise<Result> {
    const stream = this.#parts.stream(request.stream);
    // What is whole, as a file is, is for those only who may read everything in it.
    const mayRead = (filter: string) => rights?.mayRead(filter) ?? true;
    const readsAll = stream.topics.every(mayRead);
    const answer = { id: request.id, op: request.op, ok: true, stream: stream.name };
    switch (request.op) {
      case 'flush': {
        const file = await this.#parts.flush(stream.name);
        return { ...answer, files: file === null ? [] : [await this.#described(file, null)] };
      }
      case 'status':
        return { ...answer, status: this.#parts.status(stream.name), ...this.#corrections(EVERYTHING) };
      case 'files': {
        if (!readsAll) throw new MqttStreamError('REQUEST_DENIED', [`read all of stream "${stream.name}"`]);
        const ranges = this.#keys(request);
        const files = this.#parts.catalog.files(stream.name, ranges);
        const gaps = stream.gapsWithin(ranges);
        const loading = this.#loading(stream, ranges);
        const described = await this.#whilePinned(files, null);
        return { ...answer, files: described, gaps, ...this.#timing(request), ...loading };
      }
      case 'replay':
        return {
          ...answer,
          ...(await this.#replayed(stream, request, request.rate, readsAll ? null : mayRead)),
        };
      case 'search':
        if (readsAll) return { ...answer, ...(await this.#search(stream, request)) };
        return { ...answer, ...(await this.#replayed(stream, request, 0, mayRead)) };
    }
  }

  /** Everything by message. `mayRead`: of what who asks may not read, nothing; null: there is nothing of that. */
  async #replayed(
    stream: QueriedStream,
    request: SearchRequest | ReplayRequest,
    rate: number,
    mayRead: Rights['mayRead'] | null,
  ): Promise<Partial<Result>> {
    const ranges = this.#keys(request);
    const seen: QueriedGap[] = [];
    const loading = this.#loading(stream, ranges);
    const messages = await this.#replay(stream, { ...request, ranges, rate }, seen, mayRead);
    const gaps = gapsOfAnswer(seen, stream.gapsWithin(ranges));
    const restricted = mayRead !== null && (request.topic === null || !mayRead(request.topic));
    const more = { ...this.#timing(request), ...(restricted ? { restricted } : {}), ...loading };
    return { messages, files: [], gaps, ...more };
  }

  /** By file what is in a committed file, by message what is not: as it is in this turn, whatever happens later. */
  async #search(stream: QueriedStream, request: SearchRequest): Promise<Partial<Result>> {
    const { catalog, transfers } = this.#parts;
    const ranges = this.#keys(request);
    const seen = stream.gapsWithin(ranges);
    const uncommitted = overlap(ranges, uncommittedKeys(stream.ring));
    const files = catalog.files(stream.name, ranges);
    const loading = this.#loading(stream, ranges);
    const described = await this.#whilePinned(files, request.id, () =>
      transfers.order(request.id, stream.name, files),
    );
    const messages = await this.#replay(stream, { ...request, ranges: uncommitted, rate: 0 }, seen, null);
    const gaps = gapsOfAnswer(seen, stream.gapsWithin(ranges));
    return { messages, files: described, gaps, ...this.#timing(request), ...loading };
  }

  /** What an answer that begins in this turn may miss; nothing, if all files of its ranges are loaded. */
  #loading(stream: QueriedStream, ranges: readonly KeyRange[]): Pick<Result, 'loading'> {
    const files = this.#parts.catalog.loading(stream.name, ranges);
    return files === 0 ? {} : { loading: { files } };
  }

  async #replay(
    stream: QueriedStream,
    order: ReplayOrder,
    seen: QueriedGap[],
    mayRead: Rights['mayRead'] | null,
  ): Promise<Replayed & { topic: string }> {
    const { catalog, outlet, pace, pathOf, reader } = this.#parts;
    const onPassed = (keys: KeyRange) => seen.push(...stream.gapsWithin([keys]));
    const parts: SequenceParts = {
      stream: stream.name,
      ring: stream.ring,
      catalog,
      reader,
      pathOf,
      mayRead,
      onPassed,
    };
    const result = await replay(parts, order, outlet, pace, this.#signal);
    return { ...result, topic: `MQfile/${order.id}` };
  }

  /** Call it in the turn in which the catalogue named the files. `then`: what else needs them to stay. */
  async #whilePinned(
    files: readonly FileEntry[],
    requestId: string | null,
    then: () => void = () => {},
  ): Promise<object[]> {
    const unpin = this.#parts.transfers.pin(files);
    try {
      const described = await Promise.all(files.map((file) => this.#described(file, requestId)));
      then();
      return described;
    } finally {
      unpin();
    }
  }

  async #described(file: FileEntry, requestId: string | null): Promise<object> {
    const sha256 = file.sha256 ?? (await this.#parts.hash(file));
    const { name, bytes } = this.#parts.transfers.offered(file);
    const { rows, firstKey, lastKey } = file;
    const described = { name, bytes, sha256, rows, firstKey, lastKey };
    return requestId === null ? described : { ...described, topic: `ParquetFile/${requestId}/${name}` };
  }

  /** The ranges of a request as keys: ascending, disjoint, and none of later than now: nobody chases what comes in. */
  #keys({ ranges, time }: SearchRequest | ReplayRequest | FilesRequest): KeyRange[] {
    const { clock } = this.#parts;
    const keys = time === 'key' ? ranges : ranges.flatMap(({ start, end }) => clock.keysOf(start, end));
    return overlap(joined(keys), { start: 0, end: clock.now() });
  }

  #timing(request: SearchRequest | ReplayRequest | FilesRequest): Pick<Result, 'corrections'> {
    if (request.time === 'key') return {};
    return this.#corrections(this.#keys(request));
  }

  #corrections(keys: readonly KeyRange[]): Pick<Result, 'corrections'> {
    if (keys.length === 0) return {};
    const corrections = this.#parts.clock.correctionsWithin(keys[0].start, keys.at(-1)!.end);
    return corrections.some(({ offset }) => offset !== 0) ? { corrections } : {};
  }
}

/** The keys of all messages that are in no file; null if there are none. */
function uncommittedKeys(ring: RingWriter): KeyRange | null {
  if (ring.reusable === ring.written) return null;
  const { keys, mask } = ring.memory;
  return { start: keys[ring.reusable & mask], end: keys[(ring.written - 1) & mask] };
}
