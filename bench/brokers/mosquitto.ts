import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Protocol } from '../load/plan.js';
import { mosquittoVersion } from '../machine.js';
import { freePort, startInstalled } from './installed.js';
import { type RunningBroker, Unavailable } from './running-broker.js';

/** Mosquitto without bounds that would drop messages, without persistence. */
export async function startMosquitto(folder: string, protocol: Protocol): Promise<RunningBroker> {
  const version = mosquittoVersion();
  if (version === null) throw new Unavailable('mosquitto is not installed.');
  const port = await freePort();
  const config = join(folder, `mosquitto-${port}.conf`);
  await writeFile(
    config,
    `listener ${port} 127.0.0.1
protocol ${protocol === 'ws' ? 'websockets' : 'mqtt'}
allow_anonymous true
persistence false
set_tcp_nodelay true
max_queued_messages 0
max_queued_bytes 0
max_inflight_messages 1000
log_dest none
`,
  );
  try {
    return await startInstalled(`mosquitto ${version}`, port, 'mosquitto', ['-c', config]);
  } catch (error) {
    if (protocol === 'tcp' || !(error instanceof Unavailable)) throw error;
    throw new Unavailable(`mosquitto ${version} as it is installed has no WebSocket.`);
  }
}
