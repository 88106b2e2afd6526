/** aedes as it comes, in a process of its own. */
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { Aedes } from 'aedes-stock';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { serve } from '../child.js';
import type { Protocol } from '../load/plan.js';

serve(async (protocol: Protocol) => {
  const broker = await Aedes.createBroker();
  const server = protocol === 'ws' ? webSocketServer(broker) : tcpServer(broker);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port };
});

function tcpServer(broker: Aedes): Server {
  return createServer({ noDelay: true }, (socket) => broker.handle(socket));
}

function webSocketServer(broker: Aedes): Server {
  const server = createHttpServer();
  new WebSocketServer({ server }).on('connection', (socket, request) => {
    request.socket.setNoDelay(true);
    broker.handle(createWebSocketStream(socket), request);
  });
  return server;
}
