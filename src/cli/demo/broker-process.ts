import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** One line that `start --json` prints. */
interface StartEvent {
  readonly event: string;
  readonly protocol?: string;
  readonly url?: string;
  readonly unwritten?: readonly object[];
}

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

/** A broker in a process of its own, as `mqtt-stream start` runs it. */
export class BrokerProcess {
  /** Resolves when it is ready. */
  readonly ready: Promise<void>;
  readonly #child: ChildProcess;
  readonly #events: StartEvent[] = [];
  readonly #exited: Promise<number | null>;
  /** The end of what it wrote to standard error. */
  #errors = '';
  #stopping = false;

  constructor(configFile: string) {
    this.#child = spawn(process.execPath, [MAIN, 'start', '--config', configFile, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk).slice(-4096);
    });
    this.#exited = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      // After all output is read.
      this.#child.once('close', resolve);
    });
    this.ready = new Promise((resolve) => {
      createInterface({ input: this.#child.stdout! }).on('line', (line) => {
        const event = JSON.parse(line) as StartEvent;
        this.#events.push(event);
        if (event.event === 'ready') resolve();
      });
    });
  }

  /** Rejects when it ends without being asked to, else never settles. */
  async died(): Promise<never> {
    const code = await this.#exited;
    if (!this.#stopping) throw new Error(`the broker ended (${code}): ${this.#errors}`);
    return new Promise(() => {});
  }

  /** The URL of a listener, or of the HTTP interface. */
  url(of: 'tcp' | 'ws' | 'http'): string {
    const found = this.#events.find(({ event, protocol }) =>
      of === 'http' ? event === of : protocol === of,
    );
    if (found?.url === undefined) throw new Error(`the broker has no ${of}`);
    return found.url;
  }

  /** Asks it to stop, as a supervisor would: its exit code, and what it could not write. */
  async stop(): Promise<{ exitCode: number | null; unwritten: readonly object[] | undefined }> {
    this.#stopping = true;
    this.#child.kill('SIGTERM');
    const exitCode = await this.#exited;
    return { exitCode, unwritten: this.#events.find(({ event }) => event === 'stopped')?.unwritten };
  }

  /** Ends it now, and waits until it has ended. */
  async kill(): Promise<void> {
    this.#stopping = true;
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}
