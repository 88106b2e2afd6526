import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BrokerProcess } from './demo/broker-process.js';
import { reportLines } from './demo/report.js';
import { Demo } from './demo/run.js';
import { demoConfig } from './demo/streams.js';
import { FAILED, INTERRUPTED, OK } from './failure.js';
import { count } from './option-values.js';
import { stopSignal } from './stop-signal.js';
import { verb } from './verb.js';

interface DemoOptions {
  readonly seconds: number;
}

/** Beyond the drive: what is broken may make it wait for ever. */
const PATIENCE_MS = 60_000;

export const demoVerb = verb<DemoOptions>({
  name: 'demo',
  summary: 'drive a simulated vehicle through a broker of its own, and verify everything that comes back',
  options: (command) => command.option('--seconds <seconds>', 'how long the vehicle drives', count, 9),
  examples: ['demo', 'demo --seconds 30 --json'],
  run: async ({ seconds, json }, terminal) => {
    const stopped = stopSignal();
    const hung = delay(seconds * 1000 + PATIENCE_MS, null, { ref: false });
    const folder = await mkdtemp(join(tmpdir(), 'mqtt-stream-demo-'));
    const configFile = join(folder, 'config.yaml');
    const dataDir = join(folder, 'data');
    // JSON is YAML.
    await writeFile(configFile, JSON.stringify(demoConfig(dataDir)));
    const broker = new BrokerProcess(configFile);
    const step = (text: string) => terminal.step(text);
    const demo = new Demo({ folder, dataDir, seconds, broker, step });
    try {
      const report = await Promise.race([demo.run(), broker.died(), stopped, hung]);
      if (report === null) throw new Error('the demonstration did not end');
      if (typeof report === 'string') return INTERRUPTED;
      if (json) terminal.out(JSON.stringify(report));
      else for (const line of reportLines(report)) terminal.out(line);
      return report.differences.length === 0 ? OK : FAILED;
    } finally {
      await broker.kill();
      await rm(folder, { recursive: true, force: true });
    }
  },
});
