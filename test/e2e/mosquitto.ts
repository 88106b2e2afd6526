/** A mosquitto that a test stops and starts again on its port. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { temporaryFolder } from './process.js';

export const NO_MOSQUITTO =
  spawnSync('mosquitto', ['-h']).error === undefined
    ? false
    : 'mosquitto is not installed (Debian: mosquitto)';

export class Mosquitto {
  readonly port: number;
  readonly folder: string;
  #process: ChildProcess | null = null;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.folder = folder;
  }

  /** `more`: lines of its configuration besides the listener. Its sessions outlive a stop. */
  static async start(
    t: TestContext,
    more: (folder: string) => string[] | Promise<string[]> = () => ['allow_anonymous true'],
  ): Promise<Mosquitto> {
    const folder = await temporaryFolder(t);
    const mosquitto = new Mosquitto(await freePort(), folder);
    t.after(() => mosquitto.stop());
    const lines = [
      `listener ${mosquitto.port} 127.0.0.1`,
      // Started by root it would become somebody who may not write there.
      `user ${userInfo().username}`,
      'persistence true',
      `persistence_location ${folder}/`,
      'max_queued_messages 0',
      ...(await more(folder)),
    ];
    await writeFile(join(folder, 'mosquitto.conf'), `${lines.join('\n')}\n`);
    await mosquitto.start();
    return mosquitto;
  }

  async start(): Promise<void> {
    const child = spawn('mosquitto', ['-c', join(this.folder, 'mosquitto.conf')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    let said = '';
    createInterface({ input: child.stderr }).on('line', (line) => {
      said += `${line}\n`;
    });
    // It says that it runs before it listens.
    while (!(await reachable(this.port))) {
      if (child.exitCode !== null) throw new Error(`mosquitto ended: ${said}`);
      await delay(20);
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function reachable(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket.end() !== undefined));
    socket.on('error', () => resolve(false));
  });
}
