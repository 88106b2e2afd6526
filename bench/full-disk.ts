import { setTimeout as delay } from 'node:timers/promises';
import type { ConfigInput, StreamInput } from '../src/config/schema.js';
import { TOPIC } from './brokers/contestant.js';
import { OurBroker } from './brokers/ours.js';
import { DuckDb } from './duckdb.js';
import { Load } from './load/load.js';
import type { FlowResult } from './load/plan.js';
import { type Answer, CheckFailed, check, type Run } from './question.js';
import { alternate, type Contender } from './rounds.js';
import { clear, fill, type SmallDisk, smallDisk } from './small-disk.js';
import { percentile } from './summary.js';
import { medianOf, type Row, rowOf, type Sample } from './table.js';

const STREAM = 'bench';
const CASE = '20,000 messages/s, QoS 1, 64 B, 100 pairs';
const SHAPE = {
  qos: 1,
  payloadBytes: 64,
  publishers: 100,
  subscribers: 100,
  pairs: true,
  rate: 20_000,
} as const;
/** What is published to a stream whose publishers have to wait, beside those that are measured. */
const BESIDE = { ...SHAPE, publishers: 50, subscribers: 50, rate: 2000, topic: 'beside' };

interface Variant {
  readonly who: string;
  readonly policy: StreamInput['onDiskFull'];
  readonly full: boolean;
  /** The stream wants `BESIDE` only. */
  readonly beside: boolean;
  /** With room, all else alike. */
  readonly healthy: string;
}

const ROOM = 'a disk with room';
const ROOM_BESIDE = 'a disk with room, other topics';
const VARIANTS: readonly Variant[] = [
  { who: ROOM, policy: 'stop-capture', full: false, beside: false, healthy: ROOM },
  { who: 'stop-capture', policy: 'stop-capture', full: true, beside: false, healthy: ROOM },
  { who: 'drop-oldest-files', policy: 'drop-oldest-files', full: true, beside: false, healthy: ROOM },
  // Who publishes to the stream waits: these publish what it does not want.
  { who: ROOM_BESIDE, policy: 'block', full: false, beside: true, healthy: ROOM_BESIDE },
  { who: 'block, other topics', policy: 'block', full: true, beside: true, healthy: ROOM_BESIDE },
];

/** Seconds of load: before the disk is full, while it is, and for those that wait, after it was. */
const FOR = { before: 10, full: 60, after: 5 };
const QUICK = { before: 0.3, full: 0.5, after: 3 };
/** What the first seconds are of new connections is not measured, ms. */
const NEW_MS = 2000;
/** It goes on by itself within this, ms. */
const RESUMED_MS = 30_000;

/** Whether routing suffers while a stream's disk is full, and whether all that is missing was counted. */
export async function fullDisk(run: Run): Promise<Answer> {
  const disk = await smallDisk(run.folder);
  const loads = { load: new Load(), beside: new Load() };
  const judge = await DuckDb.open();
  try {
    const contenders = VARIANTS.map(
      (variant): Contender => ({
        case: CASE,
        who: variant.who,
        ours: true,
        measure: () => new Trial(run, disk, variant, judge, loads).measure(),
      }),
    );
    const rows = await alternate(run, contenders);
    return {
      tables: [
        {
          title: 'Latency while a disk is full',
          metrics: [
            { key: 'p99', title: 'p99 ms', digits: 3 },
            { key: 'p50', title: 'p50 ms', digits: 3 },
            { key: 'sent', title: 'to the stream', digits: 0 },
            { key: 'inFiles', title: 'in files', digits: 0 },
            { key: 'deleted', title: 'in deleted files', digits: 0 },
            { key: 'refused', title: 'refused', digits: 0 },
            { key: 'resumed', title: 'resumed after ms', digits: 0 },
          ],
          moreIsBetter: false,
          rows,
        },
      ],
      targets: [],
      notes: [
        `The disk was ${disk.what}, for ${timesOf(run).full} s.`,
        'In every round: in files (as DuckDB reads them), deleted and refused are what was sent to the stream, no key is twice, gaps have the same numbers, and all sent after it had room again is in files.',
        `p99, of that with room: ${ratios(rows)}.`,
      ],
    };
  } finally {
    judge.close();
    await Promise.all([loads.load.stop(), loads.beside.stop()]);
  }
}

function timesOf({ quick }: Run) {
  return quick ? QUICK : FOR;
}

function ratios(rows: readonly Row[]): string {
  const p99 = (who: string) => medianOf(rowOf(rows, CASE, who), 'p99');
  return VARIANTS.filter(({ full }) => full)
    .map(({ who, healthy }) => `${who}: ${(p99(who) / p99(healthy)).toFixed(2)}`)
    .join(', ');
}

/** One broker with a new disk, which gets full and has room again. */
class Trial {
  readonly #run: Run;
  readonly #disk: SmallDisk;
  readonly #variant: Variant;
  readonly #judge: DuckDb;
  readonly #loads: { readonly load: Load; readonly beside: Load };
  /** To the stream. */
  #sent = 0;

  constructor(
    run: Run,
    disk: SmallDisk,
    variant: Variant,
    judge: DuckDb,
    loads: { readonly load: Load; readonly beside: Load },
  ) {
    this.#run = run;
    this.#disk = disk;
    this.#variant = variant;
    this.#judge = judge;
    this.#loads = loads;
  }

  async measure(): Promise<Sample> {
    const { beside, policy } = this.#variant;
    const stream: StreamInput = {
      name: STREAM,
      topics: [`${beside ? BESIDE.topic : TOPIC}/#`],
      onDiskFull: policy,
      // Many files, all of which stay unless there is no room, and each of which makes room for the next.
      flush: { messages: 20_000 },
      parquet: { compression: 'none' },
      merge: { enabled: false },
      retention: { maxBytes: 0, maxAge: 0 },
      ...(beside ? { ring: { messages: 4096 } } : {}),
    };
    const config: ConfigInput = {
      disk: { reserve: this.#disk.reserve },
      log: { level: 'fatal' },
      streams: [stream],
    };
    const broker = await OurBroker.start(this.#run.folder, config, 'tcp', this.#disk.launcher);
    try {
      return await this.#measure(broker);
    } finally {
      await broker.stop();
    }
  }

  async #measure(broker: OurBroker): Promise<Sample> {
    const { full, beside } = this.#variant;
    const { quick } = this.#run;
    const { before, full: during, after } = timesOf(this.#run);
    const folder = this.#disk.seen(broker.dataDir, broker.pid);
    await this.#toStream(broker, before);
    await broker.flush(STREAM);
    if (full) fill(this.#disk, folder);
    const [{ latencies, resumed }] = await Promise.all([
      this.#meanwhile(broker, folder, during),
      beside ? this.#toStream(broker, during + after) : null,
    ]);
    const { captured } = await broker.counts(STREAM);
    const { sent } = await this.#toStream(broker, before);
    check('captured after there was room again', (await broker.counts(STREAM)).captured - captured, sent);
    const counts = await this.#counted(broker, folder);
    const counted: number[] = [];
    for (let i = 0; i < latencies.length; i += 2)
      if (quick || latencies[i] - latencies[0] >= NEW_MS) counted.push(latencies[i + 1]);
    return { p50: percentile(counted, 0.5), p99: percentile(counted, 0.99), ...counts, resumed };
  }

  /** What is measured; then there is room again, if there was none, and the stream goes on by itself. */
  async #meanwhile(broker: OurBroker, folder: string, seconds: number) {
    const { beside, full } = this.#variant;
    const { latencies } = beside
      ? await this.#loads.load.run({ ...SHAPE, ...targetOf(broker), topic: TOPIC, seconds, latencies: true })
      : await this.#toStream(broker, seconds);
    if (!full) return { latencies, resumed: Number.NaN };
    const { state, missing } = await broker.health(STREAM);
    if (state === 'ok' && missing.deleted === undefined) throw new CheckFailed('the disk was not full');
    clear(folder);
    const cleared = performance.now();
    for (;;) {
      if ((await broker.health(STREAM)).state === 'ok') break;
      if (performance.now() - cleared > RESUMED_MS)
        throw new CheckFailed('the stream did not go on by itself');
      await delay(10);
    }
    return { latencies, resumed: performance.now() - cleared };
  }

  async #toStream(broker: OurBroker, seconds: number): Promise<FlowResult> {
    const { load, beside } = this.#loads;
    const target = targetOf(broker);
    const result = this.#variant.beside
      ? await beside.run({ ...BESIDE, ...target, seconds })
      : await load.run({ ...SHAPE, ...target, topic: TOPIC, seconds, latencies: true });
    this.#sent += result.sent;
    return result;
  }

  /** Throws `CheckFailed` unless every message that was sent to the stream is in a file, or counted and in a gap. */
  async #counted(broker: OurBroker, folder: string) {
    await broker.flush(STREAM);
    const { captured, deleted, dropped, refused } = await broker.counts(STREAM);
    check('captured and refused', captured + refused, this.#sent);
    const { keys, rows } = await this.#judge.count(`${folder}/streams/${STREAM}/*/*.parquet`);
    check('keys in files', keys, rows);
    check('in files, deleted, dropped and refused', rows + deleted + dropped + refused, this.#sent);
    const { missing } = await broker.health(STREAM);
    check('in gaps because they were refused', missing.stopped ?? 0, refused);
    check('in gaps because their file was deleted', missing.deleted ?? 0, deleted);
    check('in gaps because they were dropped', missing.dropped ?? 0, dropped);
    return { sent: this.#sent, inFiles: rows, deleted, refused };
  }
}

function targetOf({ pid, port }: OurBroker) {
  return { pid, port, messages: Number.POSITIVE_INFINITY };
}
