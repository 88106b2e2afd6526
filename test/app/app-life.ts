/** Starts and stops a broker with a client three times, and then has nothing to do any more. */

import mqtt from 'mqtt';
import { createApp } from '../../src/index.js';
import { createLog } from '../../src/log.js';
import { configOf } from './app-fixture.js';

const log = createLog({ level: 'error', format: 'text' }, (line) => process.stderr.write(line));
for (let round = 0; round < 3; round++) {
  const app = await createApp(configOf(process.argv[2]!, { http: { port: 0 } }), { log });
  const client = await mqtt.connectAsync(app.listeners[0]!.url, { reconnectPeriod: 0 });
  await client.publishAsync('vehicle/n', `${round}`, { qos: 1 });
  const result = await app.request('replay', { id: 'r', stream: 'vehicle' });
  if (result.messages?.count !== round + 1) throw new Error(JSON.stringify(result));
  await app.request('flush', { id: 'f', stream: 'vehicle' });
  await app.request('search', { id: 's', stream: 'vehicle' });
  client.on('error', () => {});
  await app.close();
}
await new Promise((resolve) => setImmediate(resolve));
// Timers that nobody waits for are not told here.
console.log(`3 rounds, left: ${JSON.stringify(process.getActiveResourcesInfo())}`);
