/** Brokers that are programs on the PATH. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type RunningBroker, Unavailable } from './running-broker.js';

const START_MS = 5000;
const KILL_MS = 5000;
const RETRY_MS = 20;

/** Runs a broker until it is stopped or we end. Rejects with `Unavailable` if it does not listen in time. */
export async function startInstalled(
  name: string,
  port: number,
  command: string,
  args: readonly string[],
): Promise<RunningBroker> {
  const child = spawn(command, args, { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const endWithUs = () => child.kill();
  process.once('exit', endWithUs);
  const stop = async () => {
    process.off('exit', endWithUs);
    const late = setTimeout(() => child.kill('SIGKILL'), KILL_MS);
    child.kill();
    await ended;
    clearTimeout(late);
  };
  if (!(await reachable(port, child))) {
    await stop();
    throw new Unavailable(`${name} did not begin to listen.`);
  }
  return { name, pid: child.pid!, port, stop };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function reachable(port: number, child: ChildProcess): Promise<boolean> {
  const end = performance.now() + START_MS;
  while (performance.now() < end && child.pid !== undefined && child.exitCode === null) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return true;
    } catch {
      await delay(RETRY_MS);
    } finally {
      socket.destroy();
    }
  }
  return false;
}
