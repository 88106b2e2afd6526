/** aedes as it comes, in a process of its own. */
import { type AddressInfo, createServer } from 'node:net';
import { Aedes } from 'aedes';
import { serve } from '../child.js';

serve(async () => {
  const broker = await Aedes.createBroker();
  const server = createServer({ noDelay: true }, (socket) => broker.handle(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port };
});
