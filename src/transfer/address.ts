import type { IClientOptions } from 'mqtt';
import { MqttStreamError } from '../errors.js';

const PROTOCOLS = {
  mqtt: 1883,
  tcp: 1883,
  mqtts: 8883,
  ws: 80,
  wss: 443,
} as const;

type Protocol = keyof typeof PROTOCOLS;

export interface BrokerAddress {
  readonly protocol: Protocol;
  readonly host: string;
  readonly port: number;
  /** Of WebSockets only. */
  readonly path?: string;
  readonly username?: string;
  readonly password?: string;
}

/** How a broker is reached over the network, and what is shown to it. */
export interface BrokerTarget {
  /** `mqtt://`, `mqtts://`, `ws://` or `wss://`, with user name and password where wanted. */
  readonly url: string;
  /** Instead of those in the URL. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** PEM: whose signature of the broker's certificate counts; without it, those that Node knows. */
  readonly ca?: Buffer | undefined;
  /** PEM: the client's own certificate and its key. */
  readonly cert?: Buffer | undefined;
  readonly key?: Buffer | undefined;
  /** The broker may be anybody: its certificate is not verified. */
  readonly insecure?: boolean | undefined;
}

/** What the `mqtt` package needs to get there. @throws BROKER_UNREACHABLE */
export function clientOptions(target: BrokerTarget): IClientOptions {
  const { protocol, host, port, path, username, password } = brokerAddress(target.url);
  const { ca, cert, key, insecure = false } = target;
  return {
    protocol,
    host,
    port,
    path,
    username: target.username ?? username,
    password: target.password ?? password,
    ca,
    cert,
    key,
    rejectUnauthorized: !insecure,
  };
}

/**
 * `mqtt://`, `mqtts://`, `ws://` or `wss://`, with user name and password where wanted.
 * @throws BROKER_UNREACHABLE, without repeating the URL: it may hold a password.
 */
export function brokerAddress(url: string): BrokerAddress {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const protocol = parsed?.protocol.slice(0, -1) ?? '';
  if (!parsed?.hostname || !isProtocol(protocol)) {
    const known = Object.keys(PROTOCOLS).join(', ');
    throw new MqttStreamError('BROKER_UNREACHABLE', ['the given URL', `one with ${known} is needed`]);
  }
  const websocket = protocol === 'ws' || protocol === 'wss';
  return {
    protocol,
    // Sockets take an IPv6 address bare, URLs of WebSockets in brackets.
    host: websocket ? parsed.hostname : parsed.hostname.replace(/^\[|\]$/g, ''),
    port: Number(parsed.port) || PROTOCOLS[protocol],
    ...(websocket && { path: parsed.pathname + parsed.search }),
    ...(parsed.username && { username: decodeURIComponent(parsed.username) }),
    ...(parsed.password && { password: decodeURIComponent(parsed.password) }),
  };
}

function isProtocol(text: string): text is Protocol {
  return Object.hasOwn(PROTOCOLS, text);
}
