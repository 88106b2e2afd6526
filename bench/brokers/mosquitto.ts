import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { mosquittoVersion } from '../machine.js';
import type { RunningBroker } from './running-broker.js';

const START_MS = 5000;
const RETRY_MS = 20;

/** Mosquitto without bounds that would drop messages, without persistence; null if it is not installed. */
export async function startMosquitto(folder: string): Promise<RunningBroker | null> {
  const version = mosquittoVersion();
  if (version === null) return null;
  const port = await freePort();
  const config = join(folder, 'mosquitto.conf');
  await writeFile(
    config,
    `listener ${port} 127.0.0.1
allow_anonymous true
persistence false
set_tcp_nodelay true
max_queued_messages 0
max_queued_bytes 0
max_inflight_messages 1000
log_type error
`,
  );
  const child = spawn('mosquitto', ['-c', config], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  const endWithUs = () => child.kill();
  process.once('exit', endWithUs);
  await reachable(port);
  return {
    name: `mosquitto ${version}`,
    pid: child.pid!,
    port,
    stop: async () => {
      process.off('exit', endWithUs);
      child.kill();
      await ended;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function reachable(port: number): Promise<void> {
  for (const end = performance.now() + START_MS; ; await delay(RETRY_MS)) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
    } finally {
      socket.destroy();
    }
  }
}
