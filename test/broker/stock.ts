/** aedes as it is, without anything of ours around it. */
import { createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { AedesBase, type AedesClient } from '../../src/broker/aedes-internals.js';

export type Stock = InstanceType<typeof AedesBase>;

export interface StockBroker {
  readonly broker: Stock;
  readonly port: number;
  readonly server: Server;
  /** In the order of connecting. */
  readonly clients: AedesClient[];
}

export async function startStock(
  t: TestContext,
  broker: Stock = new AedesBase({ id: 'stock' }),
): Promise<StockBroker> {
  await broker.listen();
  const clients: AedesClient[] = [];
  const sockets: Socket[] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.push(socket);
    clients.push(broker.handle(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => broker.close(resolve));
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const { port } = server.address() as { port: number };
  return { broker, port, server, clients };
}
