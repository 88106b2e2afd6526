import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

export interface StartedBroker {
  readonly tcp: string;
  readonly ws: string;
  readonly http: string;
  readonly dataDir: string;
  readonly folder: string;
  readonly pid: number;
  /** Sends the signal and answers with the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** A broker as a user starts it: a process of its own, with a configuration file, on free ports. */
export async function startBroker(
  t: TestContext,
  streams: readonly object[],
  options: { folder?: string; config?: object; descriptors?: number } = {},
): Promise<StartedBroker> {
  const folder = options.folder ?? (await temporaryFolder(t));
  const dataDir = join(folder, 'data');
  const config = {
    dataDir,
    listeners: [
      { protocol: 'tcp', port: 0 },
      { protocol: 'ws', port: 0 },
    ],
    http: { port: 0 },
    streams,
    ...options.config,
  };
  const file = join(folder, 'config.yaml');
  await writeFile(file, JSON.stringify(config));
  const command = [process.execPath, '--enable-source-maps', MAIN, 'start', '--config', file];
  const { descriptors } = options;
  const limited = descriptors === undefined ? [] : ['sh', '-c', `ulimit -n ${descriptors}; exec "$@"`, 'sh'];
  const [program, ...args] = [...limited, ...command] as [string, ...string[]];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => ended(child, 'SIGKILL'));
  const lines: string[] = [];
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk;
  });
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (line.startsWith('ready')) break;
  }
  const url = (scheme: string) => {
    const found = lines.join(' ').match(new RegExp(`${scheme}://\\S+`));
    if (found === null) throw new Error(`the broker did not start: ${lines.join('\n')}\n${errors}`);
    return found[0];
  };
  return {
    tcp: url('mqtt'),
    ws: url('ws'),
    http: url('http'),
    dataDir,
    folder,
    pid: child.pid!,
    stop: (signal = 'SIGTERM') => ended(child, signal),
  };
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mqtt-stream-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exit = once(child, 'exit');
  child.kill(signal);
  await exit;
  return child.exitCode;
}
