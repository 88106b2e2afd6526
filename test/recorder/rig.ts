/** The recorder's loop on the test's own thread: its time, disk, encoder and sleep are the test's. */
import type { Table } from 'apache-arrow';
import type { Disk } from '../../src/recorder/disk.js';
import { FileMaker } from '../../src/recorder/files/maker.js';
import type { Encoder } from '../../src/recorder/files/parquet.js';
import { RecorderLoop } from '../../src/recorder/loop.js';
import type { Control, FileNumbers, RecordedStream, Report } from '../../src/recorder/protocol.js';
import { Room } from '../../src/recorder/room.js';
import { Timeline } from '../../src/recorder/timeline.js';
import { allocateRing } from '../../src/ring/layout.js';
import { encodeSource } from '../../src/ring/source.js';
import { RingWriter } from '../../src/ring/writer.js';
import { keyringOf } from '../seal/keys.js';
import { MemoryDisk } from './memory-disk.js';
import { RigFiles } from './rig-files.js';

export const SOURCE = encodeSource('vehicle/speed', 'car');

export type CommittedReport = Extract<Report, { kind: 'committed' }>;

export type RestoredReport = Extract<Report, { kind: 'restored' }>;

export interface Wait {
  readonly kind: 'nap' | 'sleep';
  readonly ms: number;
}

/** A file as `listEncoder` makes it: keys and payloads as text. */
export interface ListedRow {
  readonly key: number;
  readonly payload: string;
}

/** Stands in for Parquet where only rows count. */
export const listEncoder: Encoder = {
  encode(table: Table): Uint8Array {
    const rows: ListedRow[] = [];
    const keys = table.getChild('ts')!.data[0]!.values as BigInt64Array;
    const payloads = table.getChild('payload')!;
    for (let i = 0; i < table.numRows; i++) {
      rows.push({ key: Number(keys[i]), payload: Buffer.from(payloads.get(i) as Uint8Array).toString() });
    }
    return Buffer.from(JSON.stringify(rows));
  },
};

export function stream(
  name: string,
  flush: Partial<RecordedStream['flush']> = {},
  durability: RecordedStream['durability'] = 'none',
  encrypted = false,
): RecordedStream {
  const never = { every: 0, bytes: 0, messages: 0, idle: 0 };
  return {
    name,
    durability,
    syncInterval: 50,
    flush: { ...never, ...flush },
    parquet: { compression: 'none' },
    encryption: { enabled: encrypted },
    writeBudget: { perDay: 0, stopJournal: false },
  };
}

export class Rig {
  time = 0;
  /** All but those of recovery. */
  readonly reports: Report[] = [];
  readonly restored: RestoredReport[] = [];
  readonly waits: Wait[] = [];
  readonly loop: RecorderLoop;
  readonly disk: Disk;
  readonly making: RigFiles;
  readonly #controls: Control[] = [];
  #key: number;

  constructor({
    disk = new MemoryDisk() as Disk,
    encoder = listEncoder,
    firstKey = 1_732_330_000_000_000,
    keyring = keyringOf('a'),
    reserve = 0,
  } = {}) {
    this.#key = firstKey;
    this.disk = disk;
    const dataDir = '/data';
    const sealing = { keyring, sentOpen: false };
    const room = new Room(disk, dataDir, reserve);
    const maker = new FileMaker({ disk, room, encoder, dataDir, bootId: 'boot', version: '1', sealing });
    this.making = new RigFiles(maker, () => room.openReserve());
    this.loop = new RecorderLoop({
      disk,
      room,
      files: this.making,
      dataDir,
      timeline: new Timeline(0, []),
      sealing,
      bed: {
        mark: () => 0,
        nap: (_mark, ms) => this.waits.push({ kind: 'nap', ms }),
        sleep: (_mark, ms, pending) => {
          if (!pending()) this.waits.push({ kind: 'sleep', ms });
        },
      },
      now: () => this.time,
      receive: () => this.#controls.shift(),
      post: (report) => {
        if (report.kind === 'restored') this.restored.push(report);
        else this.reports.push(report);
      },
    });
  }

  /** Records a new ring; `from`: where what is in files ends, and what is in the ring begins. */
  add(
    added: RecordedStream,
    messages = 1024,
    bytes = 1024 * 1024,
    from: { ringKey?: number; numbers?: Partial<FileNumbers> } = {},
  ): RingWriter {
    const memory = allocateRing(messages, bytes);
    this.#controls.push({
      kind: 'add',
      stream: added,
      ring: { shared: memory.shared, messages, size: memory.size },
      from: 0,
      again: false,
      numbers: { next: 1, told: [], untoldFrom: Number.POSITIVE_INFINITY, ...from.numbers },
      ringKey: from.ringKey ?? Number.POSITIVE_INFINITY,
      shared: new SharedArrayBuffer(8),
    });
    return new RingWriter(memory);
  }

  post(...controls: Control[]): void {
    this.#controls.push(...controls);
  }

  /** Appends `count` messages and returns their keys; `awaited`: somebody waits until they are safe. */
  append(writer: RingWriter, count: number, payload = 'x', awaited = false): number[] {
    const keys = Array.from({ length: count }, () => ++this.#key);
    for (const key of keys) writer.append(key, SOURCE, 0, false, null, Buffer.from(payload));
    writer.publish(awaited);
    return keys;
  }

  /** Works until there is nothing to do now. */
  settle(): this {
    const before = this.waits.length;
    while (this.waits.length === before) this.loop.turn();
    return this;
  }

  /** Lets time pass, then works. */
  pass(ms: number): this {
    this.time += ms;
    return this.settle();
  }

  committed(name?: string): CommittedReport[] {
    return this.reports.filter(
      (report): report is CommittedReport =>
        report.kind === 'committed' && (name === undefined || report.stream === name),
    );
  }

  /** The reasons and row counts of all files. */
  files(): [string, number][] {
    return this.committed().map(({ info, file }) => [info.reason, file.rows]);
  }

  kinds(): string[] {
    return this.reports.map(({ kind }) => kind);
  }
}
