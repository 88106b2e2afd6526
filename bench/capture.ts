import { OurBroker } from './brokers/ours.js';
import { Load } from './load/load.js';
import { cpuSince } from './process-cost.js';
import type { Answer, Run } from './question.js';
import { alternate, type Contender } from './rounds.js';
import { medianOf, rowOf } from './table.js';

const STREAM = 'bench';
const CASE = 'QoS 0, 64 B, 1 to 1';
const WITH = 'captured';
const WITHOUT = 'routed only';
/** Of the same length, so that packets are. */
const TOPICS = { [WITH]: 'wanted', [WITHOUT]: 'others' };

/** What it costs the broker to capture: one process, one flow after another, wanted by a stream or not. */
export async function capture(run: Run): Promise<Answer> {
  const load = new Load();
  const broker = await OurBroker.start(run.folder, {
    streams: [{ name: STREAM, topics: [`${TOPICS[WITH]}/#`], retention: { maxBytes: '256MiB' } }],
  });

  const contender = (who: typeof WITH | typeof WITHOUT): Contender => ({
    case: CASE,
    who,
    ours: true,
    measure: async () => {
      const counts = await broker.counts(STREAM);
      const { sent, seconds, generatorShare, cpuBefore } = await load.run({
        port: broker.port,
        pid: broker.pid,
        publishers: 1,
        subscribers: 1,
        qos: 0,
        payloadBytes: 64,
        topic: TOPICS[who],
        messages: run.quick ? 2000 : Number.POSITIVE_INFINITY,
        seconds: run.quick ? 10 : 3,
      });
      // With what is left of a captured flow written, so that all of its cost is in its own figure.
      await broker.checkWritten(STREAM, who === WITH ? sent : 0, counts);
      const cpu = cpuSince(cpuBefore, broker.pid, sent);
      return {
        thread: cpu.mainThread,
        process: cpu.process,
        rate: sent / seconds,
        generator: generatorShare,
      };
    },
  });

  try {
    const rows = await alternate(run, [contender(WITH), contender(WITHOUT)]);
    const extra = (key: string) => {
      const cost = (who: string) => medianOf(rowOf(rows, CASE, who), key);
      return (cost(WITH) / cost(WITHOUT) - 1) * 100;
    };
    const target = { unit: '%', limit: 10, atLeast: false };
    return {
      tables: [
        {
          title: 'The same flow with and without a stream that wants it',
          metrics: [
            { key: 'thread', title: "CPU µs/message, broker's thread", digits: 3 },
            { key: 'process', title: 'whole process', digits: 3 },
            { key: 'rate', title: 'messages/s', digits: 0 },
            { key: 'generator', title: 'generator busy', digits: 2 },
          ],
          moreIsBetter: false,
          rows,
        },
      ],
      targets: [
        { what: "capture adds to the CPU time of the broker's thread", value: extra('thread'), ...target },
        { what: 'capture and recording add to that of the process', value: extra('process'), ...target },
      ],
      notes: [
        'The figure of the process has the Parquet files in it, to the last message of the flow.',
        "A message's cost is all system calls, MQTT in and out, and what is measured here.",
      ],
    };
  } finally {
    await Promise.all([broker.stop(), load.stop()]);
  }
}
