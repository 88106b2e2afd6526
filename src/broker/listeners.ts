import type { Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type TlsOptions as ServerTlsOptions,
  type TLSSocket,
  Server as TlsServer,
} from 'node:tls';
import { MqttStreamError, textOf } from '../errors.js';
import type { Broker } from './broker.js';
import { readingSocket } from './reading/socket.js';
import { loadCredentials, type TlsOptions } from './tls.js';
import { webSocketServer } from './websocket-server.js';

type Protocol = 'tcp' | 'tls' | 'ws' | 'wss';

export interface ListenerOptions {
  readonly protocol: Protocol;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Of a WebSocket. */
  readonly path?: string;
  /** Of tls and wss. */
  readonly tls?: TlsOptions | undefined;
}

export interface Listener {
  readonly protocol: Protocol;
  readonly host: string;
  readonly port: number;
  /** As a client would write it. */
  readonly url: string;
  /**
   * Reads the files of its certificate again; null: it has none. What this resolves with takes them into use, for new
   * connections. Rejects with CREDENTIALS_UNREADABLE or CREDENTIALS_INVALID.
   */
  renew(): Promise<(() => void) | null>;
  /** Takes no more connections; those it has live on. */
  close(): Promise<void>;
}

const SCHEMES: Readonly<Record<Protocol, string>> = { tcp: 'mqtt', tls: 'mqtts', ws: 'ws', wss: 'wss' };
/** Connections that the system holds until they are accepted: all clients may come back at once. */
const BACKLOG = 4096;

/** What reads connections that are let in: TLS, HTTP with its upgrade, both, or nothing between them and MQTT. */
type Layer = TlsServer | HttpServer | null;

/** `reason`: OpenSSL's words; they stand in the message as well, with its functions and files. */
type HandshakeError = Error & { readonly reason?: string };

/** Starts one listener. Rejects with PORT_IN_USE, LISTEN_FAILED, CREDENTIALS_UNREADABLE or CREDENTIALS_INVALID. */
export async function listen(broker: Broker, options: ListenerOptions): Promise<Listener> {
  const { protocol, host, path = '/mqtt', tls } = options;
  const { admission, log } = broker;
  const webSocket = protocol === 'ws' || protocol === 'wss';
  const secure = tls === undefined ? null : serverOptions(tls, await loadCredentials(tls, log));
  const layer = layerOf(broker, webSocket ? path : null, secure);
  const server = createServer({ noDelay: true, pauseOnConnect: layer === null }, (accepted) => {
    const socket = layer === null ? readingSocket(accepted) : accepted;
    if (!admission.admit(socket)) return;
    if (layer !== null) {
      layer.emit('connection', socket);
    } else {
      broker.handle(socket);
      socket.resume();
    }
  });
  await bound(server, host, options.port);
  // No more descriptors, for example: it goes on listening.
  server.on('error', (error) => admission.failed(error));
  const { port } = server.address() as AddressInfo;
  const shown = host.includes(':') ? `[${host}]` : host;
  return {
    protocol,
    host,
    port,
    url: `${SCHEMES[protocol]}://${shown}:${port}${webSocket ? path : ''}`,
    renew: async () => {
      if (tls === undefined || !(layer instanceof TlsServer)) return null;
      const credentials = await loadCredentials(tls, log);
      return () => layer.setSecureContext(credentials);
    },
    close: () =>
      new Promise((resolve) => {
        // Its callback would wait for the connections.
        server.close();
        // Those that have become WebSockets are not meant by this.
        if (layer !== null && 'closeAllConnections' in layer) layer.closeAllConnections();
        setImmediate(resolve);
      }),
  };
}

function layerOf(broker: Broker, path: string | null, secure: ServerTlsOptions | null): Layer {
  let layer: Layer = null;
  if (path !== null) layer = webSocketServer(broker, path, secure);
  else if (secure !== null) layer = createTlsServer(secure, (socket) => broker.handle(socket));
  layer?.on('tlsClientError', (error: HandshakeError, { authorizationError, remoteAddress }: TLSSocket) => {
    broker.stats.tlsFailures++;
    // Of a certificate that was not accepted Node says only that the socket was closed.
    const reason = authorizationError || error.reason || error.message;
    broker.log.info({ address: remoteAddress, reason }, 'a TLS handshake failed');
  });
  return layer;
}

function serverOptions(tls: TlsOptions, credentials: SecureContextOptions): ServerTlsOptions {
  return { ...credentials, requestCert: tls.ca !== undefined, rejectUnauthorized: tls.requireClientCert };
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
    server.listen({ port, host, backlog: BACKLOG }, resolve);
  });
}
