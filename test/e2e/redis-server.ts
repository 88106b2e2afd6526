import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { TestContext } from 'node:test';
import { Redis } from 'ioredis';
import { temporaryFolder } from './process.js';

/** A Redis of the test's own: on a free port, and nothing of it on the disk. */
export class RedisServer {
  readonly url: string;
  readonly #port: number;
  readonly #folder: string;
  #child: ChildProcess | null = null;

  private constructor(port: number, folder: string) {
    this.url = `redis://127.0.0.1:${port}`;
    this.#port = port;
    this.#folder = folder;
  }

  static async start(t: TestContext): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), await temporaryFolder(t));
    t.after(() => server.stop());
    await server.start();
    return server;
  }

  /** A client for a look at what is in it. */
  client(t: TestContext): Redis {
    const client = new Redis(this.url, { retryStrategy: null });
    client.on('error', () => {});
    t.after(() => client.disconnect());
    return client;
  }

  async start(): Promise<void> {
    const args = ['--port', String(this.#port), '--bind', '127.0.0.1', '--dir', this.#folder];
    const child = spawn('redis-server', [...args, '--save', '', '--appendonly', 'no'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child = child;
    let text = '';
    for await (const chunk of child.stdout) {
      text += chunk;
      if (text.includes('Ready to accept connections')) break;
    }
    if (!text.includes('Ready to accept connections')) throw new Error(`no Redis: ${text}`);
  }

  /** It does nothing until `thaw`, and its connections stay. */
  freeze(): void {
    this.#child!.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child!.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
