import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfigInput } from '../../src/config/schema.js';
import { Child } from '../child.js';
import type { Protocol } from '../load/plan.js';
import { check } from '../question.js';
import type { Flushed, OurOrder, Started, StreamCounts, StreamHealth } from './ours-process.js';
import type { RunningBroker } from './running-broker.js';

/** How our rows are called in all tables. */
export const OURS = 'mqtt-stream';

/** What is compared with what was published. */
type Checked = Pick<StreamCounts, 'captured' | 'dropped' | 'refused' | 'written'>;

/** What `npm start` starts it with. */
const FLAGS = ['--no-memory-reducer'];

/** A program and its arguments that start a process which has its data folder there. */
type Launcher = (dataDir: string) => readonly string[];

/** Our broker as `mqtt-stream start` runs it, in a process of its own, with a new data folder. */
export class OurBroker implements RunningBroker {
  readonly name = OURS;
  readonly port: number;
  readonly #child: Child;
  readonly dataDir: string;

  private constructor(child: Child, dataDir: string, port: number) {
    this.#child = child;
    this.dataDir = dataDir;
    this.port = port;
  }

  /** `config`: without data folder and listeners. */
  static async start(
    folder: string,
    config: ConfigInput,
    protocol: Protocol = 'tcp',
    launcher: Launcher = () => [],
  ): Promise<OurBroker> {
    return OurBroker.#start(await mkdtemp(join(folder, 'data-')), config, protocol, launcher);
  }

  static async #start(
    dataDir: string,
    config: ConfigInput,
    protocol: Protocol,
    launcher: Launcher,
  ): Promise<OurBroker> {
    const child = new Child(new URL('./ours-process.js', import.meta.url), FLAGS, launcher(dataDir));
    const order: OurOrder = {
      kind: 'start',
      config: {
        http: { port: 0 },
        log: { level: 'warn' },
        ...config,
        dataDir,
        listeners: [{ protocol, host: '127.0.0.1', port: 0 }],
      },
    };
    const { port } = await child.ask<Started>(order);
    return new OurBroker(child, dataDir, port);
  }

  get pid(): number {
    return this.#child.pid;
  }

  counts(stream: string): Promise<StreamCounts> {
    return this.#child.ask({ kind: 'counts', stream } satisfies OurOrder);
  }

  health(stream: string): Promise<StreamHealth> {
    return this.#child.ask({ kind: 'health', stream } satisfies OurOrder);
  }

  /** Writes all that is in the ring to a file. */
  flush(stream: string): Promise<Flushed> {
    return this.#child.ask({ kind: 'flush', stream } satisfies OurOrder);
  }

  /** Flushes, and throws `CheckFailed` unless exactly `messages` were captured and written since `before`. */
  async checkWritten(stream: string, messages: number, before: Checked): Promise<void> {
    check(`messages that stream ${stream} dropped`, await this.checkCaptured(stream, messages, before), 0);
  }

  /**
   * Flushes, and throws `CheckFailed` unless exactly `messages` were captured since `before`, and each was either
   * written or counted as dropped. How many were dropped.
   */
  async checkCaptured(stream: string, messages: number, before: Checked): Promise<number> {
    await this.flush(stream);
    const now = await this.counts(stream);
    const since = (key: keyof Checked) => now[key] - before[key];
    check(`messages that stream ${stream} refused`, since('refused'), 0);
    check(`messages captured by stream ${stream}`, since('captured'), messages);
    check(`messages of stream ${stream} in files or dropped`, since('written') + since('dropped'), messages);
    return since('dropped');
  }

  /** Resolves when all that an earlier process left is in files. */
  async restored(): Promise<void> {
    await this.#child.ask({ kind: 'restored' } satisfies OurOrder);
  }

  /** All files of a stream, as a pattern. */
  files(stream: string): string {
    return join(this.dataDir, 'streams', stream, '*', '*.parquet');
  }

  /** Ends it as nobody can prevent. */
  kill(): Promise<void> {
    return this.#child.kill();
  }

  /** Another process on the folder of this one, which has ended. */
  again(config: ConfigInput): Promise<OurBroker> {
    return OurBroker.#start(this.dataDir, config, 'tcp', () => []);
  }

  async stop(): Promise<void> {
    await this.#child.stop();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}
