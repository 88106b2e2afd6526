import { setTimeout as delay } from 'node:timers/promises';
import type { StreamInput } from '../src/config/schema.js';
import { TOPIC } from './brokers/contestant.js';
import { OurBroker } from './brokers/ours.js';
import type { Load } from './load/load.js';
import { diskWritesOf } from './process-cost.js';
import { CheckFailed, check, type Run } from './question.js';
import { alternate, type Contender } from './rounds.js';
import type { Sample, Table } from './table.js';

const STREAM = 'bench';
/** Messages a second. */
const RATE = 50_000;
const CASES = [
  { case: '64 B, files of 100,000 messages', payloadBytes: 64, perFile: 100_000 },
  { case: '64 B, files of 1,000, merged', payloadBytes: 64, perFile: 1000 },
  { case: '1 KiB, files of 48 MiB', payloadBytes: 1024, perFile: 100_000 },
] as const;
/** Merging is over when nothing was written for so long, ms. */
const QUIET_MS = 2000;

export const AMPLIFICATION_NOTES = [
  `Bytes written: of the stream's metrics, a byte of payload, at ${RATE.toLocaleString('en')} messages/s; files are not compressed, so that no figure depends on what is in the payloads.`,
  '"by the process": what the system has taken for the disk of all that the broker wrote (write_bytes of /proc), in whole pages; a journal that is removed before it got there is "taken back". The metrics are checked against wchar.',
];

/** What is given to the disk for every byte of payload that is captured. */
export async function writeAmplification(
  run: Run,
  load: Load,
  levels: readonly NonNullable<StreamInput['durability']>[],
): Promise<Table> {
  const contenders = CASES.flatMap(({ case: kase, ...plan }) =>
    levels.map(
      (who): Contender => ({
        case: kase,
        who,
        ours: true,
        measure: () => measure(run, load, who, plan),
      }),
    ),
  );
  return {
    title: 'Bytes written per byte of payload, by durability',
    metrics: [
      { key: 'all', title: 'together', digits: 2 },
      { key: 'journal', title: 'journal', digits: 2 },
      { key: 'files', title: 'files', digits: 2 },
      { key: 'merges', title: 'merges', digits: 2 },
      { key: 'process', title: 'by the process', digits: 2 },
      { key: 'cancelled', title: 'taken back', digits: 2 },
    ],
    moreIsBetter: false,
    rows: await alternate(run, contenders),
  };
}

/** With a broker of its own: nothing of an earlier one is still being merged. */
async function measure(
  { folder, quick }: Run,
  load: Load,
  durability: StreamInput['durability'],
  { payloadBytes, perFile }: { readonly payloadBytes: number; readonly perFile: number },
): Promise<Sample> {
  const stream: StreamInput = {
    name: STREAM,
    topics: [`${TOPIC}/#`],
    durability,
    flush: { messages: perFile },
    parquet: { compression: 'none' },
  };
  const broker = await OurBroker.start(folder, { streams: [stream] });
  try {
    const before = await broker.counts(STREAM);
    const { pid, port } = broker;
    const wroteBefore = diskWritesOf(pid);
    const { sent } = await load.run({
      port,
      pid,
      publishers: 1,
      subscribers: 1,
      qos: 0,
      payloadBytes,
      topic: TOPIC,
      rate: RATE,
      messages: quick ? 4000 : 200_000,
      seconds: 30,
    });
    await broker.checkWritten(STREAM, sent, before);
    const { fileBytes, journalBytes, mergedBytes } = await merged(broker);
    const wrote = diskWritesOf(pid);
    const all = fileBytes + journalBytes + mergedBytes;
    if (all > wrote.asked - wroteBefore.asked)
      throw new CheckFailed(
        `the stream tells of ${all} bytes, the process wrote ${wrote.asked - wroteBefore.asked}`,
      );
    check('bytes of the journal without one', durability === 'none' && journalBytes > 0, false);
    const each = (bytes: number) => bytes / (sent * payloadBytes);
    return {
      all: each(all),
      journal: each(journalBytes),
      files: each(fileBytes),
      merges: each(mergedBytes),
      process: each(wrote.taken - wroteBefore.taken),
      cancelled: each(wrote.cancelled - wroteBefore.cancelled),
    };
  } finally {
    await broker.stop();
  }
}

/** The counts when there is nothing more to merge. */
async function merged(broker: OurBroker) {
  let counts = await broker.counts(STREAM);
  for (let since = performance.now(); performance.now() - since < QUIET_MS; await delay(50)) {
    const now = await broker.counts(STREAM);
    if (now.mergedBytes !== counts.mergedBytes) since = performance.now();
    counts = now;
  }
  return counts;
}
