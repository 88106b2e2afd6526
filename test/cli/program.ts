/** The program, run inside the test for what it says, and as a process for what only a process has. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../src/cli/program.js';
import { Terminal } from '../../src/cli/terminal.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

export class Collector extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk;
    done();
  }

  get lines(): string[] {
    return this.text.split('\n').filter((line) => line !== '');
  }
}

/** One command line inside this process; not for verbs that wait for signals. */
export async function run(
  ...args: string[]
): Promise<{ code: number; out: string[]; err: string[]; text: string }> {
  const stdout = new Collector();
  const stderr = new Collector();
  const code = await runCommand(args, new Terminal(stdout, stderr));
  return { code, out: stdout.lines, err: stderr.lines, text: stdout.text };
}

export async function tempFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mqtt-stream-cli-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A configuration on free ports with one stream `vehicle` that is written on request only. */
export async function configFile(folder: string, more: object = {}): Promise<string> {
  const path = join(folder, 'config.yaml');
  const config = {
    dataDir: join(folder, 'data'),
    listeners: [{ port: 0 }, { protocol: 'ws', port: 0 }],
    http: { port: 0 },
    streams: [{ name: 'vehicle', topics: ['vehicle/#'], flush: { every: 0, idle: 0 } }],
    ...more,
  };
  await writeFile(path, JSON.stringify(config));
  return path;
}

/** The program as a process; ended with the test if it still runs. */
export class Program {
  readonly child: ChildProcess;
  readonly stdout = new Collector();
  readonly stderr = new Collector();
  readonly #closed: Promise<unknown[]>;

  constructor(t: TestContext, args: readonly string[], nodeArgs: readonly string[] = []) {
    this.child = spawn(process.execPath, [...nodeArgs, MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout!.pipe(this.stdout);
    this.child.stderr!.pipe(this.stderr);
    this.#closed = once(this.child, 'close');
    t.after(() => this.child.kill('SIGKILL'));
  }

  /** Resolves with a line of standard output, or of standard error, that matches. */
  async says(pattern: RegExp, on: 'stdout' | 'stderr' = 'stdout'): Promise<string> {
    const find = () => this[on].lines.find((line) => pattern.test(line));
    await this.#until(() => find() !== undefined, on);
    return find()!;
  }

  /** Resolves when so many lines are on standard output. */
  printed(count: number): Promise<void> {
    return this.#until(() => this.stdout.lines.length >= count, 'stdout');
  }

  async #until(reached: () => boolean, on: 'stdout' | 'stderr'): Promise<void> {
    while (!reached()) {
      const more = once(this.child[on]!, 'data').then(() => true);
      if (await Promise.race([more, this.#closed.then(() => false)])) continue;
      if (!reached()) throw new Error(`the program ended too early:\n${this.stdout.text}${this.stderr.text}`);
    }
  }

  /** The exit code, or the signal that ended it. */
  async exit(): Promise<number | string> {
    const [code, signal] = await this.#closed;
    return (code ?? signal) as number | string;
  }
}

/** `start`, ready. */
export async function started(t: TestContext, config: string, ...args: string[]): Promise<Program & Urls> {
  const program = new Program(t, ['start', '--config', config, ...args]);
  await program.says(/^ready$/);
  const url = async (pattern: RegExp) => (await program.says(pattern)).split(' ').at(-1)!;
  return Object.assign(program, {
    tcp: await url(/^listening on mqtt:/),
    ws: await url(/^listening on ws:/),
    http: await url(/^http on /),
  });
}

interface Urls {
  readonly tcp: string;
  readonly ws: string;
  readonly http: string;
}
