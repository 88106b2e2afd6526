/**
 * kill -9 of the real process while clients publish, again and again on one data folder, at moments of a generator. In the end
 * DuckDB reads all files. TEST_KILLS: how often at each level, for a long run.
 */
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import mqtt, { type MqttClient } from 'mqtt';
import { generator } from '../catalog/generator.js';
import { run } from '../cli/program.js';
import { keyBytes } from '../seal/keys.js';
import { ask } from './answers.js';
import { type StartedBroker, startBroker, temporaryFolder } from './process.js';

const KILLS = Number(process.env.TEST_KILLS ?? 3);
/** Unacknowledged messages of one client. */
const WINDOW = 20;
const QOS = [0, 1, 2] as const;

/** A client that publishes `<name>.<n>` with QoS 0, 1 and 2 in turn until its broker is gone. */
class Load {
  sent = 0;
  readonly acknowledged: string[] = [];
  readonly gone: Promise<void>;
  readonly #client: MqttClient;
  readonly #name: string;
  readonly #onAcknowledged: () => void;
  #gone = false;

  constructor(url: string, name: string, onAcknowledged: () => void) {
    this.#name = name;
    this.#onAcknowledged = onAcknowledged;
    this.#client = mqtt.connect(url, { protocolVersion: 5, reconnectPeriod: 0 });
    this.#client.on('error', () => {});
    this.gone = new Promise((resolve) =>
      this.#client.on('close', () => {
        this.#gone = true;
        resolve();
      }),
    );
    this.#client.on('connect', () => {
      for (let i = 0; i < WINDOW; i++) this.#next();
    });
  }

  #next(): void {
    if (this.#gone) return;
    const qos = QOS[this.sent % 3]!;
    const payload = `${this.#name}.${this.sent++}`;
    this.#client.publish(`vehicle/${qos}`, payload, { qos }, (error) => {
      if (error != null || this.#gone) return;
      if (qos > 0) {
        this.acknowledged.push(payload);
        this.#onAcknowledged();
      }
      this.#next();
    });
  }
}

for (const [durability, encrypted] of [
  ['none', false],
  ['process', false],
  ['process', true],
  ['interval', false],
  ['strict', false],
  ['strict', true],
] as const) {
  test(`kill -9, ${durability}${encrypted ? ', encrypted' : ''}: ${durability === 'none' ? 'what is in files stays, what is not is a gap' : 'nothing acknowledged is lost'}, nothing is twice`, async (t) => {
    const random = generator(`kills ${durability}`.length);
    const encryption = { enabled: encrypted };
    const flush = { messages: 300 };
    const stream = { name: 'vehicle', topics: ['vehicle/#'], durability, encryption, flush };
    const folder = await temporaryFolder(t);
    const key = join(folder, 'key');
    await writeFile(key, keyBytes('a'), { mode: 0o600 });
    const options = { folder, config: { encryption: { keys: [{ id: 'a', file: key }] } } };
    const acknowledged = new Set<string>();
    const sent = new Map<string, number>();
    let broker: StartedBroker = await startBroker(t, [stream], options);
    for (let round = 0; round < KILLS; round++) {
      let left = 1 + Math.floor(random() * 3000);
      let enough = () => {};
      const reached = new Promise<void>((resolve) => {
        enough = resolve;
      });
      const loads = ['a', 'b', 'c'].map(
        (name) => new Load(broker.tcp, `${round}${name}`, () => --left === 0 && enough()),
      );
      await reached;
      await broker.stop('SIGKILL');
      await Promise.all(loads.map(({ gone }) => gone));
      for (const [at, load] of loads.entries()) {
        sent.set(`${round}${'abc'[at]}`, load.sent);
        for (const payload of load.acknowledged) acknowledged.add(payload);
      }
      broker = await startBroker(t, [stream], options);
    }
    let gaps = await gapsOf(broker, folder);
    // Its journal may not be in files yet.
    while (gaps.some(({ reason }) => reason === 'being-recovered')) gaps = await gapsOf(broker, folder);
    assert.equal(await broker.stop('SIGTERM'), 0);
    const rows = await rowsOf(encrypted ? await decrypted(folder, key) : broker.dataDir);

    for (let i = 1; i < rows.length; i++)
      assert.ok(rows[i]!.key > rows[i - 1]!.key, 'keys rise, and none is twice');
    const found = new Set(rows.map(({ payload }) => payload));
    assert.equal(found.size, rows.length, 'no message is there twice');
    const missing = [...acknowledged].filter((payload) => !found.has(payload));
    if (durability !== 'none') assert.deepEqual(missing, [], `of ${acknowledged.size} acknowledged`);
    // Whatever a crash takes is the end of what was published before it, with nothing missing inside.
    for (const [name, count] of sent) {
      let kept = 0;
      while (kept < count && found.has(`${name}.${kept}`)) kept++;
      for (let n = kept; n < count; n++)
        assert.ok(!found.has(`${name}.${n}`), `${name}.${n} is behind a hole`);
    }
    assert.ok(
      gaps.length > 0 && gaps.every(({ reason }) => reason === 'crash'),
      'what may be missing is told',
    );
    t.diagnostic(
      `${KILLS} kills, ${rows.length} messages, ${acknowledged.size} acknowledged, ${missing.length} of them lost`,
    );
  });
}

/** A data folder with what is in the encrypted files of this one. */
async function decrypted(folder: string, key: string): Promise<string> {
  const from = join(folder, 'data', 'streams', 'vehicle');
  const to = join(folder, 'open');
  const files = await readdir(from, { recursive: true });
  assert.ok(files.every((path) => !/\.(parquet|journal)$/.test(path)));
  const paths = files.filter((path) => path.endsWith('.parquet.enc')).map((path) => join(from, path));
  const { code, err } = await run(
    'decrypt',
    ...paths,
    '--key-file',
    key,
    '--out',
    join(to, 'streams', 'vehicle', 'all'),
  );
  assert.equal(code, 0, err.join('\n'));
  return to;
}

async function gapsOf({ tcp }: StartedBroker, folder: string): Promise<{ reason: string }[]> {
  const { result } = await ask(tcp, 'files', { id: 'files', stream: 'vehicle' }, folder);
  return result.gaps;
}

async function rowsOf(dataDir: string): Promise<{ key: bigint; payload: string }[]> {
  // Every kill may have come before the first file.
  const names = (await readdir(join(dataDir, 'streams', 'vehicle'), { recursive: true })) as string[];
  if (!names.some((name) => name.endsWith('.parquet'))) return [];
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(
      `SELECT epoch_us(ts), decode(payload) FROM '${dataDir}/streams/vehicle/*/*.parquet' ORDER BY ts`,
    );
    return reader.getRows().map(([key, payload]) => ({ key: key as bigint, payload: payload as string }));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
