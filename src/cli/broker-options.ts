import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { type Command, Option } from 'commander';
import { MqttStreamError, textOf } from '../errors.js';
import type { BrokerTarget } from '../transfer/address.js';

const DEFAULT_URL = 'mqtt://127.0.0.1:1883';

/** Of the verbs that connect to a broker. Files by their paths. */
export interface BrokerOptions {
  readonly url: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly insecure?: true;
  readonly username?: string;
  readonly password?: string;
  readonly passwordFile?: string;
}

export function withBroker(command: Command): Command {
  return command
    .option('--url <url>', 'the broker: mqtt://, mqtts://, ws:// or wss://', DEFAULT_URL)
    .option('--ca <file>', "who signs the broker's certificate (PEM), if not somebody whom Node knows")
    .option('--cert <file>', 'the certificate to show (PEM)')
    .option('--key <file>', 'its private key (PEM)')
    .option('--insecure', "do not verify the broker's certificate")
    .option('--username <name>', 'instead of the one in the URL')
    .addOption(
      new Option('--password <password>', 'other users of this machine may see it').conflicts('passwordFile'),
    )
    .option('--password-file <file>', 'the password is the first line of this file');
}

/** @throws CREDENTIALS_UNREADABLE, CREDENTIALS_INVALID */
export async function targetOf(options: BrokerOptions): Promise<BrokerTarget> {
  const { url, insecure = false, username, passwordFile } = options;
  const [ca, cert, key, secret] = await Promise.all(
    [options.ca, options.cert, options.key, passwordFile].map((file) => contents(file)),
  );
  try {
    if ((cert === undefined) !== (key === undefined)) throw new Error('--cert and --key belong together');
    createSecureContext({ ca, cert, key });
  } catch (error) {
    const files = [options.ca, options.cert, options.key].filter((file) => file !== undefined).join(', ');
    throw new MqttStreamError('CREDENTIALS_INVALID', [files, textOf(error)], { cause: error });
  }
  const password = options.password ?? secret?.toString().split(/\r?\n/, 1)[0];
  return { url, insecure, username, password, ca, cert, key };
}

async function contents(file: string | undefined): Promise<Buffer | undefined> {
  try {
    return file === undefined ? undefined : await readFile(file);
  } catch (error) {
    throw new MqttStreamError('CREDENTIALS_UNREADABLE', [file, textOf(error)], { cause: error });
  }
}
