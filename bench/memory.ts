import { setTimeout as delay } from 'node:timers/promises';
import { OURS, OurBroker } from './brokers/ours.js';
import { Load } from './load/load.js';
import { residentBytes } from './process-cost.js';
import type { Answer, Run } from './question.js';
import { progress } from './rounds.js';
import { slope } from './summary.js';
import type { Row } from './table.js';

const NOTHING = { captured: 0, dropped: 0, refused: 0, written: 0 };
const MIB = 1024 * 1024;
const STREAMS = ['first', 'second'];
const TOPIC = 'bench';
const RATE = 20_000;
const MOST_MIB = 400;
/** Slower growth cannot be told from the noise of the garbage collector in ten minutes. */
const MOST_MIB_A_MINUTE = 2;

/** Whether the process keeps its size under a steady flow. */
export async function memory(run: Run): Promise<Answer> {
  const seconds = run.quick ? 3 : run.minutes * 60;
  const every = run.quick ? 500 : 5000;
  // At first buffers grow to the sizes of this flow.
  const settled = Math.min(60, seconds / 3);
  const load = new Load();
  const broker = await OurBroker.start(run.folder, {
    streams: STREAMS.map((name) => ({ name, topics: [`${TOPIC}/#`], retention: { maxBytes: '256MiB' } })),
  });
  const times: number[] = [];
  const sizes: number[] = [];
  try {
    const started = performance.now();
    let flowing = true;
    const flow = load
      .run({
        port: broker.port,
        publishers: 1,
        subscribers: 1,
        qos: 0,
        payloadBytes: 256,
        topic: TOPIC,
        messages: Number.POSITIVE_INFINITY,
        seconds,
        rate: RATE,
      })
      .finally(() => {
        flowing = false;
      });
    while (flowing) {
      await Promise.race([delay(every), flow]);
      times.push((performance.now() - started) / 1000);
      sizes.push(residentBytes(broker.pid) / MIB);
      progress(`  ${times.at(-1)!.toFixed(0)} s: ${sizes.at(-1)!.toFixed(0)} MiB\n`);
    }
    const { sent } = await flow;
    for (const stream of STREAMS) await broker.checkWritten(stream, sent, NOTHING);
    return answer(times, sizes, settled, sent);
  } finally {
    await Promise.all([broker.stop(), load.stop()]);
  }
}

function answer(times: readonly number[], sizes: readonly number[], settled: number, sent: number): Answer {
  const from = times.findIndex((time) => time >= settled);
  const growth = slope(times.slice(from), sizes.slice(from)) * 60;
  const minutes = Math.max(1, Math.round(times.at(-1)! / 60));
  const rows = Array.from({ length: minutes }, (_, minute): Row => {
    const samples = sizes.map((size, index) => ({ size, time: times[index] }));
    return {
      case: `minute ${minute + 1}`,
      who: OURS,
      ours: true,
      samples: samples.filter(({ time }) => Math.min(Math.floor(time / 60), minutes - 1) === minute),
      failure: null,
    };
  });
  return {
    tables: [
      {
        title: `Resident memory at ${RATE.toLocaleString('en-US')} messages/s of 256 B, each into two streams`,
        metrics: [{ key: 'size', title: 'MiB', digits: 0 }],
        moreIsBetter: false,
        rows,
      },
    ],
    targets: [
      { what: 'the most', unit: 'MiB', value: Math.max(...sizes), limit: MOST_MIB, atLeast: false },
      {
        what: `growth after the first ${settled} s`,
        unit: 'MiB/min',
        value: growth,
        limit: MOST_MIB_A_MINUTE,
        atLeast: false,
      },
    ],
    notes: [`${sent.toLocaleString('en-US')} messages, each in both streams, all found in files afterwards.`],
  };
}
