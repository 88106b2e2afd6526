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
