import { join } from 'node:path';
import { FileReception, type ReceptionOptions } from '../file-reception.js';
import type { ListedFile } from '../listed-file.js';
import type { FoundMessage } from '../message.js';
import { RequestClient } from '../request-client.js';
import { entryOf, type Seen } from './ledger.js';
import { rowsOf } from './parquet-rows.js';

const SILENCE_MS = 20_000;

/** What a search brought back. */
export interface Found {
  readonly fromFiles: readonly Seen[];
  readonly fromRing: readonly Seen[];
  readonly files: number;
}

/** Gets streams back as any client can: by requests over MQTT. */
export class Retrieval {
  readonly #url: string;
  readonly #folder: string;
  readonly #requests: RequestClient;
  readonly transferred = { files: 0, bytes: 0 };
  readonly #replayed = { messages: 0, seconds: 0 };

  private constructor(url: string, folder: string, requests: RequestClient) {
    this.#url = url;
    this.#folder = folder;
    this.#requests = requests;
  }

  /** Files that are transferred go below `folder`. */
  static async start(url: string, folder: string): Promise<Retrieval> {
    return new Retrieval(url, folder, await RequestClient.connect({ url }));
  }

  async flush(stream: string): Promise<void> {
    await this.#ask('flush', { id: `flush-${stream}`, stream });
  }

  /** Everything of a stream: the messages in memory, and what is in the files that were sent. */
  async search(stream: string): Promise<Found> {
    const id = `search-${stream}`;
    const options: ReceptionOptions = {
      target: { url: this.#url },
      dir: join(this.#folder, 'received'),
      id,
      silenceMs: SILENCE_MS,
    };
    const reception = await FileReception.start(options);
    try {
      const fromRing: Seen[] = [];
      const result = await this.#ask('search', { id, stream }, (message) => fromRing.push(seenOf(message)));
      if (result.gaps?.length !== 0)
        throw new Error(`stream ${stream} has gaps: ${JSON.stringify(result.gaps)}`);
      const paths: string[] = [];
      await reception.files(result.files as readonly ListedFile[], ({ path, bytes }) => {
        paths.push(path);
        this.transferred.files++;
        this.transferred.bytes += bytes;
      });
      return { fromFiles: await rowsOf(paths), fromRing, files: paths.length };
    } finally {
      await reception.close();
    }
  }

  async replay(stream: string): Promise<readonly Seen[]> {
    const seen: Seen[] = [];
    const begun = performance.now();
    await this.#ask('replay', { id: `replay-${stream}`, stream }, (message) => seen.push(seenOf(message)));
    this.#replayed.messages += seen.length;
    this.#replayed.seconds += (performance.now() - begun) / 1000;
    return seen;
  }

  /** Messages a second, of all replays. */
  get replaySpeed(): number {
    return this.#replayed.messages / this.#replayed.seconds;
  }

  close(): Promise<void> {
    return this.#requests.close();
  }

  #ask(
    verb: 'flush' | 'search' | 'replay',
    request: { id: string; stream: string },
    onMessage?: (message: FoundMessage) => void,
  ) {
    return this.#requests.ask({
      verb,
      request,
      ...(onMessage === undefined ? {} : { onMessage }),
      silenceMs: SILENCE_MS,
    });
  }
}

function seenOf({ key, topic, qos, payload, properties }: FoundMessage): Seen {
  return { key, ...entryOf(topic, qos, payload, properties?.contentType) };
}
