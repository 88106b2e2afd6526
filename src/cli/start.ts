import { type App, createApp } from '../app/app.js';
import { asKnown } from '../errors.js';
import { createLog, type Logger } from '../log.js';
import { type ConfigOptions, configOf, withConfig } from './config-options.js';
import { FAILED, OK } from './failure.js';
import { bytesText, ofThem } from './quantity-text.js';
import { stopApp, unwrittenText } from './stop.js';
import { stopSignal } from './stop-signal.js';
import { verb } from './verb.js';

export const startVerb = verb<ConfigOptions>({
  name: 'start',
  summary: 'start the broker; SIGINT or SIGTERM stops it when everything is written, a second one at once',
  options: withConfig,
  examples: [
    'start',
    'start --config vehicle.yaml --data-dir /var/lib/mqtt-stream',
    'start --set http.port=8090 --set log.level=debug --json',
  ],
  run: async (options, terminal) => {
    const config = await configOf(options);
    const log = createLog(config.log, (line) => process.stderr.write(line));
    // A broker lives on when nobody reads what it prints.
    terminal.onReaderGone = () => log.warn('standard output was closed');
    const say = (event: string, fields: object, text: string) =>
      terminal.out(options.json ? JSON.stringify({ event, ...fields }) : text);

    const end = Promise.race([stopSignal(), fault(log)]);
    let app: App | null = null;
    process.on('SIGHUP', () => void reload(app, log));
    if (config.streams.length === 0) log.warn('no stream is configured: nothing is captured');
    app = await createApp(config, { log });
    announce(app, say);

    const reason = await end;
    log.info({ reason }, 'stopping');
    const unwritten = await stopApp(app);
    const text = unwritten.length === 0 ? 'everything is written' : unwrittenText(unwritten);
    say('stopped', { unwritten }, `stopped: ${text}`);
    return unwritten.length === 0 && reason !== 'fault' ? OK : FAILED;
  },
});

/** On SIGHUP. */
async function reload(app: App | null, log: Logger): Promise<void> {
  try {
    const reloaded = (await app?.reload()) ?? [];
    log.info({ reloaded }, reloaded.length > 0 ? 'SIGHUP: reloaded' : 'SIGHUP: there is nothing to reload');
  } catch (thrown) {
    const error = asKnown(thrown);
    log.error({ code: error.code, err: error }, 'SIGHUP: nothing was reloaded, what was loaded before stays');
  }
}

type Say = (event: string, fields: object, text: string) => void;

function announce(app: App, say: Say): void {
  for (const { protocol, url } of app.listeners) say('listening', { protocol, url }, `listening on ${url}`);
  if (app.http !== null) say('http', { url: app.http.url }, `http on ${app.http.url}`);
  for (const { name, topics } of app.config.streams) {
    const { files, bytes } = app.catalog.totals(name);
    const loading = app.catalog.loading(name);
    const rest = loading > 0 ? `; ${ofThem(loading, 'more file')} are being read` : '';
    const kept = `${ofThem(files, 'file')}, ${bytesText(bytes)}${rest}`;
    say('stream', { name, topics, files, bytes, loading }, `stream ${name}: ${topics.join(' ')} (${kept})`);
  }
  say('ready', {}, 'ready');
}

/** Resolves when something was thrown where nobody expected it: what the program knows may be wrong from then on. */
function fault(log: Logger): Promise<'fault'> {
  return new Promise((resolve) => {
    for (const event of ['uncaughtException', 'unhandledRejection']) {
      process.on(event, (error: unknown) => {
        log.fatal({ err: error }, 'a fault in the program');
        resolve('fault');
      });
    }
  });
}
