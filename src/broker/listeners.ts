import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { WebSocketServer } from 'ws';
import { MqttStreamError, textOf } from '../errors.js';
import type { Broker } from './broker.js';
import { readingSocket } from './reading/socket.js';
import { WebSocketStream } from './websocket-stream.js';

export interface ListenerOptions {
  readonly protocol: 'tcp' | 'ws';
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Of a WebSocket. */
  readonly path?: string;
}

export interface Listener {
  readonly protocol: 'tcp' | 'ws';
  readonly host: string;
  readonly port: number;
  /** As a client would write it. */
  readonly url: string;
  /** Takes no more connections; those it has live on. */
  close(): Promise<void>;
}

const FRAME_SLACK = 1024 * 1024;
const CLOSE_MS = 1000;

/** Starts one listener. Rejects with PORT_IN_USE or LISTEN_FAILED. */
export async function listen(broker: Broker, options: ListenerOptions): Promise<Listener> {
  const { protocol, host, path = '/mqtt' } = options;
  const server = protocol === 'tcp' ? tcpServer(broker) : webSocketServer(broker, path);
  await bound(server, host, options.port);
  // No more descriptors, for example: it goes on listening.
  server.on('error', (error) => broker.emit('error', error));
  const { port } = server.address() as AddressInfo;
  const shown = host.includes(':') ? `[${host}]` : host;
  return {
    protocol,
    host,
    port,
    url: protocol === 'tcp' ? `mqtt://${shown}:${port}` : `ws://${shown}:${port}${path}`,
    close: () =>
      new Promise((resolve) => {
        // Its callback would wait for the connections.
        server.close();
        // Those that have become WebSockets are not meant by this.
        if ('closeAllConnections' in server) server.closeAllConnections();
        setImmediate(resolve);
      }),
  };
}

function tcpServer(broker: Broker): Server {
  return createServer({ noDelay: true, pauseOnConnect: true }, (accepted) => {
    const socket = readingSocket(accepted);
    broker.handle(socket);
    socket.resume();
  });
}

function webSocketServer(broker: Broker, path: string): HttpServer {
  const http = createHttpServer((_request, response) => {
    response.writeHead(426, { 'content-type': 'text/plain' }).end('MQTT over WebSocket only\n');
  });
  const options = {
    server: http,
    path,
    // A frame may hold several packets.
    maxPayload: broker.maximumPacketSize + FRAME_SLACK,
    // Of a peer that does not answer a close.
    closeTimeout: CLOSE_MS,
    // [MQTT-6.0.0-3]; clients of 3.1 name it mqttv3.1
    handleProtocols: (offered: Set<string>) =>
      ['mqtt', 'mqttv3.1'].find((name) => offered.has(name)) ?? false,
    perMessageDeflate: false,
  };
  const sockets = new WebSocketServer(options);
  // It repeats the errors of the HTTP server, which are answered there.
  sockets.on('error', () => {});
  sockets.on('connection', (socket, request) => {
    request.socket.setNoDelay(true);
    broker.handle(new WebSocketStream(socket, request.socket.remoteAddress));
  });
  return http;
}

/** Also for the HTTP interface: a listening server, or an error that names the port. */
export function bound(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new MqttStreamError('PORT_IN_USE', [port, host], { cause: error })
          : new MqttStreamError('LISTEN_FAILED', [host, port, textOf(error)], { cause: error }),
      );
    });
    server.listen(port, host, resolve);
  });
}
