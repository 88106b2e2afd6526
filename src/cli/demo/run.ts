import { join } from 'node:path';
import { connectOnce } from '../connection.js';
import type { BrokerProcess } from './broker-process.js';
import { entryOf, Ledger } from './ledger.js';
import { parquetFiles, rowsOf } from './parquet-rows.js';
import type { DemoReport, StreamReport } from './report.js';
import { Retrieval } from './retrieval.js';
import { BATTERY_TOPIC } from './sensors.js';
import { capturedBy, DEMO_STREAMS } from './streams.js';
import { Vehicle } from './vehicle.js';
import { quantile, Watcher } from './watcher.js';

export interface DemoParts {
  /** For files that are received. */
  readonly folder: string;
  readonly dataDir: string;
  /** How long the vehicle drives. Two thirds of what it sends is then written, the rest left in memory. */
  readonly seconds: number;
  /** Runs with `demoConfig`. */
  readonly broker: BrokerProcess;
  /** Told what is being done. */
  readonly step: (text: string) => void;
}

/** Drives a vehicle through a broker, gets everything back in every way there is, and compares. */
export class Demo {
  readonly #parts: DemoParts;
  readonly #ledger = new Ledger();
  readonly #differences: string[] = [];

  constructor(parts: DemoParts) {
    this.#parts = parts;
  }

  /** Rejects with what fails; what merely differs is in the report. */
  async run(): Promise<DemoReport> {
    const { folder, seconds, broker, step } = this.#parts;
    const begun = performance.now();
    step('starting the broker');
    await broker.ready;
    const retrieval = await Retrieval.start(broker.url('tcp'), folder);
    const watcher = await this.#drive(retrieval);
    const found: Omit<StreamReport, 'onDisk'>[] = [];
    for (const { name } of DEMO_STREAMS) found.push(await this.#retrieve(name, retrieval));
    await retrieval.close();

    step('stopping the broker');
    const { exitCode, unwritten } = await broker.stop();
    this.#check('the stop', exitCode === 0 && unwritten?.length === 0 ? null : `exit code ${exitCode}`);
    const streams: StreamReport[] = [];
    for (const one of found) streams.push({ ...one, onDisk: await this.#onDisk(one.stream) });

    const { count, bytes } = this.#ledger.expected(() => true);
    return {
      streams,
      live: { messages: watcher.seen.length, perSecond: count / seconds, bytesPerSecond: bytes / seconds },
      latencyMs: { p50: quantile(watcher.latencies, 0.5), p99: quantile(watcher.latencies, 0.99) },
      replayPerSecond: retrieval.replaySpeed,
      transferred: retrieval.transferred,
      seconds: (performance.now() - begun) / 1000,
      differences: this.#differences,
    };
  }

  /** Two drives, with a flush between them; the watcher has seen both. */
  async #drive(retrieval: Retrieval): Promise<Watcher> {
    const { seconds, broker, step } = this.#parts;
    const watcher = await Watcher.start(broker.url('tcp'));
    const vehicle = await Vehicle.start(
      (transport) => broker.url(transport),
      this.#ledger,
      (error) => this.#differences.push(`a sensor failed: ${error}`),
    );
    step(`driving for ${seconds} s`);
    const first = (seconds * 2) / 3;
    await vehicle.drive(first);
    for (const { name } of DEMO_STREAMS) await retrieval.flush(name);
    await vehicle.drive(seconds - first);
    const all = this.#ledger.expected(() => true);
    await watcher.until(all.count);
    this.#check('the live subscriber', all.difference(watcher.seen));
    await this.#checkRetained(broker.url('tcp'));
    await vehicle.stop();
    await watcher.stop();
    return watcher;
  }

  /** One stream by search, transfer and replay, while the broker runs. */
  async #retrieve(stream: string, retrieval: Retrieval): Promise<Omit<StreamReport, 'onDisk'>> {
    const { broker, step } = this.#parts;
    const expected = this.#ledger.expected(capturedBy(stream));
    const captured = await metric(broker.url('http'), `captured_messages_total{stream="${stream}"}`);
    const missing = captured === expected.count ? null : `${captured} of ${expected.count} messages`;
    this.#check(`stream ${stream}, captured`, missing);
    step(`stream ${stream}: search and transfer`);
    const { fromFiles, fromRing, files } = await retrieval.search(stream);
    this.#check(`stream ${stream}, search`, expected.difference([...fromFiles, ...fromRing]));
    step(`stream ${stream}: replay`);
    const replayed = await retrieval.replay(stream);
    this.#check(`stream ${stream}, replay`, expected.difference(replayed));
    return {
      stream,
      published: expected.count,
      captured,
      fromRing: fromRing.length,
      fromFiles: fromFiles.length,
      files,
      replayed: replayed.length,
      bytes: expected.bytes,
    };
  }

  /** After the broker has stopped. */
  async #onDisk(stream: string): Promise<number> {
    const rows = await rowsOf(await parquetFiles(join(this.#parts.dataDir, 'streams', stream)));
    const expected = this.#ledger.expected(capturedBy(stream));
    this.#check(`stream ${stream}, files on disk`, expected.difference(rows));
    return rows.length;
  }

  /** Who subscribes late gets the last state of the battery. */
  async #checkRetained(url: string): Promise<void> {
    const client = await connectOnce({ url }, { clientId: 'late', protocolVersion: 5 });
    const state = new Promise<Buffer>((resolve) =>
      client.on('message', (_topic, payload) => resolve(payload)),
    );
    await client.subscribeAsync(BATTERY_TOPIC, { qos: 1 });
    const got = entryOf(BATTERY_TOPIC, 1, await state, null);
    const last = this.#ledger.last(BATTERY_TOPIC);
    this.#check('the retained state', got.sha256 === last?.sha256 ? null : 'it is not the last one');
    await client.endAsync();
  }

  #check(what: string, difference: string | null): void {
    if (difference !== null) this.#differences.push(`${what}: ${difference}`);
  }
}

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`mqtt_stream_${name} `));
  return Number(line?.split(' ')[1]);
}
