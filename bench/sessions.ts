import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { OURS } from './brokers/ours.js';
import { SessionClient } from './load/session-client.js';
import { type Answer, check, type Run } from './question.js';
import { alternate } from './rounds.js';
import type { Sample } from './table.js';

const MAIN = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
/** Clients that connect and leave at the same time. */
const AT_ONCE = 50;
const TOPIC = 'sessions/all';

interface Started {
  readonly child: ChildProcess;
  readonly port: number;
  /** Until it says that it is ready, ms. */
  readonly ms: number;
}

/** What lasting sessions cost that are away: storing for them, starting with them, and giving them what waited. */
export async function sessions(run: Run): Promise<Answer> {
  const cases = run.quick
    ? ([
        [20, 10, 2],
        [1, 100, 1],
      ] as const)
    : ([
        [10_000, 100, 2],
        [1, 60_000, 1],
      ] as const);
  const rows = await alternate(
    run,
    cases.map(([count, messages, qos]) => ({
      case: `${count.toLocaleString('en-US')} away, ${messages.toLocaleString('en-US')} messages each, QoS ${qos}`,
      who: OURS,
      ours: true,
      measure: () => measure(run.folder, count, messages, qos),
    })),
  );
  return {
    tables: [
      {
        title: 'Sessions of clients that are away, over kill -9 and restart',
        metrics: [
          { key: 'stored', title: 'stored/s', digits: 0 },
          { key: 'start', title: 'ms to start', digits: 0 },
          { key: 'delivered', title: 'delivered/s', digits: 0 },
        ],
        moreIsBetter: true,
        rows,
      },
    ],
    targets: [],
    notes: [
      'Stored: until the publisher of all of them has its last acknowledgement. Then the process is killed, and started again.',
      'Every session got every message once and in order. What is delivered is bound by the clients, which run in one thread.',
    ],
  };
}

async function measure(folder: string, count: number, messages: number, qos: 1 | 2): Promise<Sample> {
  const config = join(folder, `sessions-${count}-${Date.now()}.json`);
  const dataDir = `${config}.data`;
  const limits = { connections: 1000, connectionsPerSecond: 100_000 };
  const listeners = [{ protocol: 'tcp', port: 0 }];
  await writeFile(
    config,
    JSON.stringify({ dataDir, listeners, limits, http: { port: 0 }, log: { level: 'error' } }),
  );
  let broker = await start(config);
  try {
    await each(count, async (i) => {
      const client = await SessionClient.connect(broker.port, `session-${i}`);
      await client.subscribe(TOPIC, qos);
      await client.leave();
    });
    const publisher = await SessionClient.connect(broker.port, 'publisher');
    let from = performance.now();
    await publisher.publish(TOPIC, qos, messages);
    const stored = (count * messages * 1000) / (performance.now() - from);
    await stop(broker, 'SIGKILL');
    broker = await start(config);
    from = performance.now();
    const expected = Array.from({ length: messages }, (_, i) => String(i)).join();
    await each(count, async (i) => {
      const client = await SessionClient.connect(broker.port, `session-${i}`);
      await client.finished(messages);
      check(`messages of session ${i}`, client.payloads.join() === expected, true);
      await client.leave();
    });
    const delivered = (count * messages * 1000) / (performance.now() - from);
    return { stored, start: broker.ms, delivered };
  } finally {
    await stop(broker, 'SIGTERM');
  }
}

async function start(config: string): Promise<Started> {
  const from = performance.now();
  const child = spawn(process.execPath, ['--no-memory-reducer', MAIN, 'start', '--config', config], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let port = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    port = Number(line.match(/mqtt:\/\/[^:]+:(\d+)/)?.[1] ?? port);
    if (line === 'ready') break;
  }
  return { child, port, ms: performance.now() - from };
}

async function stop({ child }: Started, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

async function each(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, worker));
}
