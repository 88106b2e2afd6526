import { startAedes } from './brokers/aedes.js';
import { startMosquitto } from './brokers/mosquitto.js';
import { OURS, OurBroker } from './brokers/ours.js';
import type { RunningBroker } from './brokers/running-broker.js';
import { Load } from './load/load.js';
import { cpuOf, cpuSince } from './process-cost.js';
import type { Answer, Run } from './question.js';
import { alternate, type Contender } from './rounds.js';
import type { Row, Sample } from './table.js';

const KIB = 1024;
const STREAM = 'bench';
/** Of the same length; the first one is captured. */
const CAPTURED = 'wanted';
const ROUTED = 'others';

interface Routing {
  readonly case: string;
  readonly qos: 0 | 1 | 2;
  readonly payloadBytes: number;
  readonly publishers: number;
  readonly subscribers: number;
}

const ROUTINGS: readonly Routing[] = [
  { case: 'QoS 0, 64 B, 1 to 1', qos: 0, payloadBytes: 64, publishers: 1, subscribers: 1 },
  { case: 'QoS 1, 64 B, 1 to 1', qos: 1, payloadBytes: 64, publishers: 1, subscribers: 1 },
  { case: 'QoS 2, 64 B, 1 to 1', qos: 2, payloadBytes: 64, publishers: 1, subscribers: 1 },
  { case: 'QoS 0, 64 B, 1 to 20', qos: 0, payloadBytes: 64, publishers: 1, subscribers: 20 },
  { case: 'QoS 0, 64 B, 50 to 1', qos: 0, payloadBytes: 64, publishers: 50, subscribers: 1 },
  { case: 'QoS 0, 256 KiB, 1 to 1', qos: 0, payloadBytes: 256 * KIB, publishers: 1, subscribers: 1 },
];

/** Our broker, with every message captured and recorded or none, beside others. */
export async function broker(run: Run): Promise<Answer> {
  const load = new Load();
  const ours = await OurBroker.start(run.folder, {
    streams: [{ name: STREAM, topics: [`${CAPTURED}/#`], retention: { maxBytes: '256MiB' } }],
  });
  const others = [await startAedes(), await startMosquitto(run.folder)].filter((one) => one !== null);

  const contender = (broker: RunningBroker, routing: Routing, topic: string): Contender => ({
    case: routing.case,
    who: broker === ours && topic === ROUTED ? `${OURS}, not captured` : broker.name,
    ours: broker === ours,
    measure: async () => {
      const before = await ours.counts(STREAM);
      const sample = await measure(load, broker, routing, topic, run.quick);
      await ours.checkWritten(STREAM, topic === CAPTURED ? sample.sent : 0, before);
      return sample;
    },
  });

  try {
    const rows: Row[] = [];
    for (const routing of ROUTINGS) {
      const contenders = [
        contender(ours, routing, CAPTURED),
        contender(ours, routing, ROUTED),
        ...others.map((other) => contender(other, routing, ROUTED)),
      ];
      rows.push(...(await alternate(run, contenders)));
    }
    return {
      tables: [
        {
          title: 'Routing, beside brokers that do not record',
          metrics: [
            { key: 'rate', title: 'deliveries/s', digits: 0 },
            { key: 'cpu', title: 'CPU µs/delivery', digits: 2 },
            { key: 'thread', title: 'of its main thread', digits: 2 },
            { key: 'generator', title: 'generator busy', digits: 2 },
          ],
          moreIsBetter: true,
          rows,
        },
      ],
      targets: [],
      notes: [
        'Clients are raw sockets in one process; every delivery is checked by publisher and number.',
        'At most 4 MiB, with QoS 1 and 2 at most 100 messages a publisher, are on their way.',
        'Captured: into a stream of the default configuration; where the recorder is slower than the flow, publishers wait.',
        '"generator busy" near 1: the load generator was the limit, not the broker.',
      ],
    };
  } finally {
    await Promise.all([ours, ...others, load].map((one) => one.stop()));
  }
}

async function measure(
  load: Load,
  broker: RunningBroker,
  routing: Routing,
  topic: string,
  quick: boolean,
): Promise<Sample> {
  const before = cpuOf(broker.pid);
  const { port } = broker;
  const limits = quick ? { messages: 200, seconds: 10 } : { messages: Number.POSITIVE_INFINITY, seconds: 2 };
  const flow = await load.run({ ...routing, ...limits, port, topic });
  const cpu = cpuSince(before, broker.pid, flow.received);
  return {
    rate: flow.received / flow.seconds,
    cpu: cpu.process,
    thread: cpu.mainThread,
    generator: flow.generatorShare,
    sent: flow.sent,
  };
}
