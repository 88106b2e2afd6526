import { createLog } from '../log.js';
import { brokerAddress } from '../transfer/address.js';
import { TransferClient } from '../transfer/client.js';
import { type BrokerOptions, targetOf, withBroker } from './broker-options.js';
import { FAILED, OK } from './failure.js';
import { type KeyOptions, keyringOf, withKeys } from './key-options.js';
import { bytesText, ofThem } from './quantity-text.js';
import { stopSignal } from './stop-signal.js';
import { verb } from './verb.js';

interface TransferOptions extends BrokerOptions, KeyOptions {
  readonly dataDir?: string;
}

export const transferVerb = verb<TransferOptions>({
  name: 'transfer',
  summary: 'send the files that searches find, instead of the broker itself, until SIGINT or SIGTERM',
  options: (command) =>
    withKeys(withBroker(command)).option(
      '--data-dir <folder>',
      'where the data folder is here, if not where the broker has it',
    ),
  examples: ['transfer', 'transfer --url mqtt://127.0.0.1:1884 --data-dir /mnt/vehicle/data'],
  run: async (options, terminal) => {
    const { url, dataDir, json } = options;
    const target = await targetOf(options);
    const keyring = await keyringOf(options);
    const stopped = stopSignal();
    const log = createLog({ level: 'info', format: json ? 'json' : 'text' }, (line) =>
      process.stderr.write(line),
    );
    const client = await TransferClient.start({
      ...target,
      log,
      keyring,
      ...(dataDir === undefined ? {} : { dataDir }),
    });
    // Not the URL: it may hold a password.
    const { host, port } = brokerAddress(url);
    terminal.out(json ? JSON.stringify({ event: 'ready', host, port }) : `ready: files for ${host}:${port}`);
    await stopped;
    await client.close();
    const { files, bytes, failed } = client.sent;
    terminal.out(
      json
        ? JSON.stringify({ event: 'stopped', ...client.sent })
        : `stopped: ${ofThem(files, 'file')} sent (${bytesText(bytes)}), ${failed} not`,
    );
    return failed === 0 ? OK : FAILED;
  },
});
