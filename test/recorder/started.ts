/** A recorder with its real worker, on a folder of its own. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { CommittedFile } from '../../src/recorder/files/writer.js';
import type { RecorderOptions } from '../../src/recorder/options.js';
import type { Durability, FlushInfo, StreamCount } from '../../src/recorder/protocol.js';
import { Recorder } from '../../src/recorder/recorder.js';
import { allocateRing } from '../../src/ring/layout.js';
import { RingWriter } from '../../src/ring/writer.js';
import { FULL, STALL, STALLED } from './modules/disk.js';
import { POISON } from './modules/encoder.js';
import { SOURCE, stream } from './rig.js';

interface Commit {
  readonly stream: string;
  readonly file: CommittedFile;
  readonly upTo: number;
  readonly info: FlushInfo;
}

type AtomicsWithWait = {
  waitAsync(words: Int32Array, index: number, value: number): { value: Promise<string> | string };
};

export class Started {
  readonly dataDir: string;
  readonly commits: Commit[] = [];
  readonly events: string[] = [];
  readonly lost: (readonly StreamCount[])[] = [];
  readonly words = new Int32Array(new SharedArrayBuffer(16));
  readonly rings = new Map<string, RingWriter>();
  /** Messages before this sequence were told to be safe, last. */
  safe = 0;
  recorder!: Recorder;
  #key = 1_732_330_000_000_000;
  #waiting: { met: () => boolean; resolve: () => void }[] = [];

  private constructor(dataDir: string) {
    this.dataDir = dataDir;
  }

  static async start(t: TestContext, overrides: Partial<RecorderOptions> = {}): Promise<Started> {
    const started = new Started(await mkdtemp(join(tmpdir(), 'mqtt-stream-recorder-')));
    const module = (name: string) => new URL(`./modules/${name}.js`, import.meta.url).href;
    const quiet = () => {};
    started.recorder = await Recorder.start({
      dataDir: started.dataDir,
      bootId: 'boot-1',
      clockBase: 1_732_000_000_000_000,
      corrections: [{ from: 0, offset: 5 }],
      version: '1.2.3',
      log: { info: quiet, warn: quiet, error: quiet },
      modules: { disk: module('disk'), encoder: module('encoder'), data: { words: started.words } },
      onCommit: (name, file, upTo, info) => {
        started.rings.get(name)?.commit(upTo);
        started.commits.push({ stream: name, file, upTo, info });
        started.#happened('committed');
      },
      onSafe: (_name, upTo) => {
        started.safe = upTo;
        started.#happened('safe');
      },
      onFailure: () => started.#happened('failed'),
      onRecovered: () => started.#happened('recovered'),
      onReplaced: (lost) => {
        started.lost.push(lost);
        started.#happened('replaced');
      },
      ...overrides,
    });
    t.after(async () => {
      started.stall(false);
      await started.recorder.close(2000);
      await rm(started.dataDir, { recursive: true, force: true });
    });
    return started;
  }

  add(
    name: string,
    flush: Parameters<typeof stream>[1] = {},
    messages = 1024,
    bytes = 2 ** 20,
    durability: Durability = 'none',
  ): RingWriter {
    const writer = new RingWriter(allocateRing(messages, bytes));
    this.recorder.add(stream(name, flush, durability), writer, 1);
    this.rings.set(name, writer);
    return writer;
  }

  /** Appends `count` messages, giving up old ones if `giveUp` is there, and returns their keys. */
  publish(
    writer: RingWriter,
    count: number,
    giveUp?: (key: number, taken: boolean) => void,
    awaited = false,
  ): number[] {
    const payload = Buffer.from('payload');
    return Array.from({ length: count }, () => {
      if (giveUp !== undefined) writer.makeRoom(SOURCE, 0, payload.length, giveUp);
      writer.append(++this.#key, SOURCE, 1, false, null, payload);
      writer.publish(awaited);
      this.recorder.doorbell.ring();
      return this.#key;
    });
  }

  /** Resolves once `met`, which is asked after every event. */
  until(met: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ met, resolve });
      this.#check();
    });
  }

  count(event: string): number {
    return this.events.filter((other) => other === event).length;
  }

  stall(on: boolean): void {
    Atomics.store(this.words, STALL, on ? 1 : 0);
    Atomics.notify(this.words, STALL);
  }

  /** Resolves once a write of the worker waits. */
  async stalled(): Promise<void> {
    while (Atomics.load(this.words, STALLED) === 0) {
      await (Atomics as unknown as AtomicsWithWait).waitAsync(this.words, STALLED, 0).value;
    }
  }

  fill(on: boolean): void {
    Atomics.store(this.words, FULL, on ? 1 : 0);
  }

  poison(calls: number): void {
    Atomics.store(this.words, POISON, calls);
  }

  /** The keys in all committed files, of one stream or of all, in the order of the commits. */
  async keys(name?: string): Promise<number[]> {
    const keys: number[] = [];
    for (const { file } of this.commits.filter(({ stream: other }) => (name ?? other) === other)) {
      const { buffer } = Uint8Array.from(await readFile(join(this.dataDir, file.path)));
      const parsers = { timestampFromMicroseconds: (key: bigint) => key };
      const rows = await parquetReadObjects({ file: buffer, columns: ['ts'], compressors, parsers });
      keys.push(...rows.map(({ ts }) => Number(ts)));
    }
    return keys;
  }

  #happened(event: string): void {
    this.events.push(event);
    this.#check();
  }

  #check(): void {
    const met = this.#waiting.filter((waiting) => waiting.met());
    this.#waiting = this.#waiting.filter((waiting) => !met.includes(waiting));
    for (const { resolve } of met) resolve();
  }
}
