import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { TlsOptions as ServerTlsOptions } from 'node:tls';
import { WebSocketServer } from 'ws';
import type { Broker } from './broker.js';
import { WebSocketStream } from './websocket-stream.js';

const FRAME_SLACK = 1024 * 1024;
const CLOSE_MS = 1000;

/** Serves MQTT over WebSocket on connections that are given to it by its event `connection`. */
export function webSocketServer(broker: Broker, path: string, tls: ServerTlsOptions | null): Server {
  const refuse: RequestListener = (_request, response) => {
    response.writeHead(426, { 'content-type': 'text/plain' }).end('MQTT over WebSocket only\n');
  };
  const http = tls === null ? createServer(refuse) : createSecureServer(tls, refuse);
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
  sockets.on('connection', (socket, { socket: carrier }) => {
    broker.handle(
      new WebSocketStream(socket, carrier, broker.limits.connectBytes, () => {
        broker.stats.oversizedConnects++;
      }),
    );
  });
  return http;
}
