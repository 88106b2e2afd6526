import { brokerAddress } from '../transfer/address.js';
import type { LinkOptions } from './link.js';

export interface RemoteOptions {
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  readonly passwordFile?: string;
  readonly tls: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    readonly verify: boolean;
  };
  readonly protocolVersion: 4 | 5;
  readonly bridgeMode: boolean;
  /** Ms, like the others. */
  readonly keepAlive: number;
  readonly cleanStart: boolean;
  readonly sessionExpiry: number;
  readonly connectTimeout: number;
  /** Largest packet that we take, bytes. */
  readonly packetBytes: number;
}

/** The contents of a file; rejects if it cannot be read. */
export type ReadFile = (path: string) => Promise<Buffer>;

/** What CONNECT says and how the connection is made. The files are read each time: they may be replaced meanwhile. */
export async function linkOptions(
  remote: RemoteOptions,
  clientId: string,
  readFile: ReadFile,
): Promise<LinkOptions> {
  const { protocol, host, port, path } = brokerAddress(remote.url);
  const { passwordFile, protocolVersion, sessionExpiry, tls, username } = remote;
  const contents = async (file: string | undefined) => (file === undefined ? undefined : readFile(file));
  const [ca, cert, key, secret] = await Promise.all([tls.ca, tls.cert, tls.key, passwordFile].map(contents));
  const version5 = protocolVersion === 5;
  return {
    protocol,
    host,
    port,
    path,
    clientId,
    username,
    password: remote.password ?? secret?.toString().split(/\r?\n/, 1)[0],
    ca,
    cert,
    key,
    rejectUnauthorized: tls.verify,
    protocolVersion,
    bridgeMode: remote.bridgeMode && !version5,
    keepalive: Math.ceil(remote.keepAlive / 1000),
    clean: remote.cleanStart,
    connectTimeout: remote.connectTimeout,
    ...(version5 && {
      properties: {
        // Nothing need be kept of what the next connection throws away.
        sessionExpiryInterval: remote.cleanStart ? 0 : Math.ceil(sessionExpiry / 1000),
        maximumPacketSize: remote.packetBytes,
      },
    }),
  };
}
