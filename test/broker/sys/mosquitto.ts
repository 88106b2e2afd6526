import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';

/** Why tests that need a mosquitto are skipped, or false. */
export const NO_MOSQUITTO =
  spawnSync('mosquitto', ['-h']).error === undefined
    ? false
    : 'mosquitto is not installed (Debian: mosquitto, mosquitto-clients)';

/** Starts a mosquitto that updates `$SYS` as often as it can, and answers with its port. */
export async function startMosquitto(t: TestContext): Promise<number> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'mqtt-stream-mosquitto-'));
  const file = join(folder, 'mosquitto.conf');
  await writeFile(file, `listener ${port} 127.0.0.1\nallow_anonymous true\nsys_interval 1\n`);
  const child = spawn('mosquitto', ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill();
    await ended;
    await rm(folder, { recursive: true, force: true });
  });
  for await (const line of createInterface({ input: child.stderr })) if (/ running$/.test(line)) return port;
  throw new Error('mosquitto did not start');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
