import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Protocol } from '../load/plan.js';
import { nanomqVersion } from '../machine.js';
import { freePort, startInstalled } from './installed.js';
import { type RunningBroker, Unavailable } from './running-broker.js';

/** NanoMQ (0.19 or newer) with queues long enough for what is on its way, and as many threads as it chooses. */
export async function startNanomq(folder: string, protocol: Protocol): Promise<RunningBroker> {
  const version = nanomqVersion();
  if (version === null) throw new Unavailable('NanoMQ is not installed.');
  if (protocol === 'ws') throw new Unavailable('NanoMQ is compared over TCP only.');
  const port = await freePort();
  const config = join(folder, `nanomq-${port}.conf`);
  await writeFile(
    config,
    `mqtt {
  max_packet_size = 64MB
  max_mqueue_len = 65535
  max_inflight_window = 65535
}
listeners.tcp {
  bind = "127.0.0.1:${port}"
}
log {
  to = [console]
  level = fatal
}
auth {
  allow_anonymous = true
  no_match = allow
  deny_action = ignore
}
`,
  );
  return startInstalled(`NanoMQ ${version}`, port, 'nanomq', ['start', '--conf', config]);
}
