import { createLog } from '../log.js';
import { type ReceivedFile, Receiver } from '../transfer/receiver.js';
import { type BrokerOptions, targetOf, withBroker } from './broker-options.js';
import { FAILED, OK } from './failure.js';
import { count } from './option-values.js';
import { bytesText, ofThem } from './quantity-text.js';
import { stopSignal } from './stop-signal.js';
import { verb } from './verb.js';

interface ReceiveOptions extends BrokerOptions {
  readonly dir: string;
  readonly filter: string;
  readonly count?: number;
}

export const receiveVerb = verb<ReceiveOptions>({
  name: 'receive',
  summary: 'receive files and keep those that verify, in <dir>/<id>/, until SIGINT or SIGTERM',
  options: (command) =>
    withBroker(command)
      .requiredOption('--dir <folder>', 'where the files go')
      .option('--filter <filter>', 'which files: ParquetFile/<id>/# for those of one search', 'ParquetFile/#')
      .option('--count <files>', 'end when so many are here', count),
  examples: [
    'receive --dir ./received',
    'receive --dir ./received --filter "ParquetFile/r1/#" --count 3 --json',
  ],
  run: async (options, terminal) => {
    const { dir, filter, count: wanted = Number.POSITIVE_INFINITY, json } = options;
    const target = await targetOf(options);
    const paths = new Set<string>();
    let complete: () => void;
    const enough = new Promise<void>((resolve) => {
      complete = resolve;
    });
    const onFile = (file: ReceivedFile) => {
      paths.add(file.path);
      terminal.out(json ? JSON.stringify(file) : fileLine(file));
      terminal.progress(() => ofThem(paths.size, 'file'));
      if (paths.size >= wanted) complete();
    };
    const stopped = stopSignal();
    const log = createLog({ level: 'warn', format: json ? 'json' : 'text' }, (line) =>
      terminal.err(line.trimEnd()),
    );
    const receiver = await Receiver.start({ ...target, dir, filter, log, onFile });
    terminal.err(json ? JSON.stringify({ event: 'ready', filter }) : `ready: ${filter}`);
    await Promise.race([enough, stopped]);
    await receiver.close();
    const { failed } = receiver.received;
    if (!json) terminal.err(`${ofThem(paths.size, 'file')} verified, ${failed} not kept`);
    const all = wanted === Number.POSITIVE_INFINITY ? failed === 0 : paths.size >= wanted;
    return all ? OK : FAILED;
  },
});

function fileLine({ path, bytes, rows, sha256 }: ReceivedFile): string {
  return `${path}  ${ofThem(rows, 'row')}  ${bytesText(bytes)}  sha256 ${sha256}  verified`;
}
