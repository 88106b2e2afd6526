import { encodeSource, type Source } from '../ring/source.js';
import type { Publication, Publisher } from './publication.js';
import type { Stream } from './stream.js';

/** Where nobody wants it. */
const NO_SOURCE: Source = {
  hasClient: false,
  head: new Int32Array(0),
  topicBytes: 0,
  clientBytes: 0,
  hash: 0,
};

/** Of the topics whose lanes are kept for one publisher; random topics empty its map, they do not fill the memory. */
const MOST_CHARACTERS = 512 * 1024;
/** What a lane counts besides its topic. */
const LANE_CHARACTERS = 32;

/** What all messages of one publisher on one topic have in common. */
export class Lane {
  readonly publisher: KnownPublisher;
  readonly source: Source;
  readonly streams: readonly Stream[];
  readonly epoch: number;

  constructor(publisher: KnownPublisher, source: Source, streams: readonly Stream[], epoch: number) {
    this.publisher = publisher;
    this.source = source;
    this.streams = streams;
    this.epoch = epoch;
  }
}

export class KnownPublisher implements Publisher {
  /** Of topics that others publish on, too; otherwise the topic remembers the lane. */
  readonly lanes = new Map<string, Lane>();
  /** Of the topics of these. */
  characters = 0;
  /** Messages of it that wait. */
  waiting = 0;
  readonly clientId: string | null;
  readonly utf8: Uint8Array | null;

  constructor(clientId: string | null) {
    this.clientId = clientId;
    this.utf8 = clientId === null ? null : Buffer.from(clientId, 'utf8');
  }
}

/** Which streams want a message is remembered for each topic and publisher, until a stream comes or goes. */
export class Lanes {
  readonly #streams: ReadonlyMap<string, Stream>;
  #epoch = 0;

  constructor(streams: ReadonlyMap<string, Stream>) {
    this.#streams = streams;
  }

  /** A stream has come or gone: what is remembered is void. */
  renew(): void {
    this.#epoch++;
  }

  of(publisher: KnownPublisher, { topic, known }: Publication): Lane {
    const { memo } = known;
    if (memo instanceof Lane && memo.epoch === this.#epoch) {
      return memo.publisher === publisher ? memo : this.#besides(publisher, topic, known);
    }
    const lane = this.#new(publisher, topic, known.utf8);
    known.memo = lane;
    return lane;
  }

  /** The lane of a publisher on a topic that remembers that of another one, who may be gone: the last comer's is. */
  #besides(publisher: KnownPublisher, topic: string, known: Publication['known']): Lane {
    const own = publisher.lanes.get(topic);
    if (own !== undefined && own.epoch === this.#epoch) return own;
    const lane = this.#new(publisher, topic, known.utf8);
    known.memo = lane;
    if (own === undefined) publisher.characters += topic.length + LANE_CHARACTERS;
    if (publisher.characters > MOST_CHARACTERS) {
      publisher.lanes.clear();
      publisher.characters = topic.length + LANE_CHARACTERS;
    }
    publisher.lanes.set(topic, lane);
    return lane;
  }

  #new(publisher: KnownPublisher, topic: string, utf8: Uint8Array): Lane {
    const streams: Stream[] = [];
    for (const stream of this.#streams.values()) if (stream.wants(topic)) streams.push(stream);
    const source = streams.length === 0 ? NO_SOURCE : encodeSource(utf8, publisher.utf8);
    return new Lane(publisher, source, streams, this.#epoch);
  }
}
