/**
 * A day of a vehicle on a clock of its own: boots at 1970 and GPS later, NTP, restarts, kill -9, and a full disk, drawn by a
 * generator. In the end DuckDB reads what is in the files: what was acknowledged is there, or stands in a gap.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import mqtt, { type MqttClient } from 'mqtt';
import type { ConfigInput } from '../../src/config/schema.js';
import type { Gap } from '../../src/exchange/gaps.js';
import { temporaryFolder } from '../app/app-fixture.js';
import { generator } from '../catalog/generator.js';
import { SECOND, TODAY } from '../clock/machine.js';
import type { Order, Reply } from './vehicle-process.js';

const PROCESS = new URL('./vehicle-process.js', import.meta.url);
const STREAMS = ['strict', 'process', 'none'] as const;
type StreamName = (typeof STREAMS)[number];
const MINUTE = 60 * SECOND;
/** Of a step. */
const STEP = 3 * MINUTE;
const STEPS_A_DAY = (24 * 60) / 3;
/** Of the wall clock, by NTP, a person, a time zone. */
const SETTINGS = [0.5, -0.5, 3600, -3600, -3 * 86_400].map((seconds) => seconds * SECOND);

interface Published {
  readonly stream: StreamName;
  readonly payload: string;
  readonly acknowledged: boolean;
  /** Its key is above this, and not above `to`. */
  readonly from: number;
  readonly to: number;
}

class Vehicle {
  readonly published: Published[] = [];
  readonly counts = { kills: 0, restarts: 0, boots: 0, steps: 0, full: 0 };
  readonly #config: ConfigInput;
  readonly #random: () => number;
  #child!: ChildProcess;
  #client!: MqttClient;
  #gone!: Promise<void>;
  #key = 0;
  #boot = 0;
  /** What the wall clock should show is `wall + off`; microseconds. */
  #wall = TODAY;
  #uptime = 0;
  #off = 0;
  #sent = 0;
  #fullFor = 0;

  constructor(dataDir: string, random: () => number) {
    this.#random = random;
    const shape = {
      flush: { every: 0, idle: 0, messages: 40 },
      ring: { messages: 512, bytes: '1MiB' },
      retention: { maxBytes: 0, maxAge: 0 },
    } as const;
    this.#config = {
      dataDir,
      disk: { reserve: 1 },
      http: { enabled: false },
      transfer: { embedded: false },
      persistence: { store: 'memory' },
      listeners: [{ protocol: 'tcp', port: 0 }],
      streams: [
        { name: 'strict', topics: ['strict/#'], durability: 'strict', ...shape },
        { name: 'process', topics: ['process/#'], onDiskFull: 'drop-oldest-files', ...shape },
        { name: 'none', topics: ['none/#'], durability: 'none', ...shape },
      ],
    };
  }

  async boot(t: TestContext): Promise<void> {
    this.#boot++;
    this.counts.boots++;
    this.#uptime = Math.floor(this.#random() * 20) * SECOND;
    // A third of all boots have no clock until there is GPS.
    const wall = this.#random() < 1 / 3 ? this.#uptime : this.#wall + this.#off;
    this.#off += this.#wall - wall;
    this.#wall = wall;
    await this.start(t);
  }

  async start(t: TestContext): Promise<void> {
    // A restart takes a while.
    this.#wall += SECOND;
    this.#uptime += SECOND;
    this.#child = fork(PROCESS, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const child = this.#child;
    t.after(() => child.kill('SIGKILL'));
    const { port } = await this.#tell({
      kind: 'start',
      config: this.#config,
      wall: this.#wall,
      uptime: this.#uptime,
      boot: this.#boot,
    });
    this.#client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5, reconnectPeriod: 0 });
    this.#client.on('error', () => {});
    this.#gone = new Promise((resolve) => this.#client.once('close', () => resolve()));
    await new Promise<void>((resolve) => this.#client.once('connect', () => resolve()));
    this.#fullFor = 0;
  }

  async stop(): Promise<void> {
    await this.#client.endAsync();
    if (this.#fullFor > 0) await this.#tell({ kind: 'room', bytes: null });
    const { unwritten } = await this.#tell({ kind: 'stop' });
    assert.equal(unwritten, 0);
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }

  async ask(verb: string, stream: StreamName): Promise<{ gaps: Gap[] }> {
    const { result } = await this.#tell({
      kind: 'ask',
      verb,
      request: { id: `q${++this.#sent}`, stream, time: 'key' },
    });
    return result as { gaps: Gap[] };
  }

  /** Three minutes of driving, and perhaps something goes wrong. */
  async drive(t: TestContext): Promise<void> {
    const lot = this.#random();
    let stepped = 0;
    // The clock is set as soon as there is GPS; otherwise somebody steps it now and then.
    if (this.#wall < TODAY && lot < 0.2) stepped = this.#off;
    else if (this.#wall >= TODAY && lot < 0.03)
      stepped = SETTINGS[Math.floor(this.#random() * SETTINGS.length)]!;
    if (stepped !== 0) this.counts.steps++;
    this.#off -= stepped;
    await this.#tell({ kind: 'pass', micros: STEP, stepped });
    if (this.#fullFor > 0 && --this.#fullFor === 0) await this.#tell({ kind: 'room', bytes: null });
    if (lot > 0.98 && this.#fullFor === 0) {
      this.counts.full++;
      this.#fullFor = 5;
      await this.#tell({ kind: 'room', bytes: 300 });
    }
    const ends = lot > 0.94 && lot < 0.98;
    const batch = this.#publish(1 + Math.floor(this.#random() * 12));
    if (ends && this.#random() < 0.6) {
      // In the middle of it.
      this.counts.kills++;
      this.#child.kill('SIGKILL');
      await Promise.all([once(this.#child, 'exit'), batch]);
    } else {
      await batch;
      if (!ends) return;
      this.counts.restarts++;
      await this.stop();
    }
    if (this.#random() < 0.5) await this.boot(t);
    else await this.start(t);
  }

  async #publish(count: number): Promise<void> {
    const from = this.#key;
    const sent = STREAMS.flatMap((stream) =>
      Array.from({ length: count }, () => {
        const payload = `${stream}-${this.#sent++}`;
        const qos = (1 + (this.#sent % 2)) as 1 | 2;
        const told = new Promise<boolean>((resolve) => {
          this.#client.publish(`${stream}/n`, payload, { qos }, (error) => resolve(error == null));
          void this.#gone.then(() => resolve(false));
        });
        return { stream, payload, told };
      }),
    );
    const told = await Promise.all(
      sent.map(async ({ told, ...one }) => ({ ...one, acknowledged: await told })),
    );
    if (this.#client.connected) await this.#tell({ kind: 'pass', micros: 0, stepped: 0 });
    // After a crash nobody knows; the next key that is told is above.
    const to = this.#client.connected ? this.#key : Number.POSITIVE_INFINITY;
    this.published.push(...told.map((one) => ({ ...one, from, to })));
  }

  async #tell(order: Order): Promise<Reply> {
    const answer = once(this.#child, 'message');
    this.#child.send(order);
    const [reply] = (await answer) as [Reply];
    this.#key = reply.key;
    this.#wall = reply.wall;
    this.#uptime = reply.uptime;
    return reply;
  }
}

test('a day with wrong clocks, crashes, restarts and full disks: nothing acknowledged is missing without a gap', async (t) => {
  const dataDir = await temporaryFolder(t);
  const vehicle = new Vehicle(dataDir, generator(24));
  await vehicle.boot(t);
  for (let step = 0; step < STEPS_A_DAY; step++) await vehicle.drive(t);
  const gaps = new Map<StreamName, Gap[]>();
  for (const stream of STREAMS) {
    await vehicle.ask('flush', stream);
    gaps.set(stream, (await vehicle.ask('files', stream)).gaps);
  }
  await vehicle.stop();
  const { kills, restarts, boots, steps, full } = vehicle.counts;
  assert.ok(kills > 3 && restarts > 2 && boots > 3 && steps > 3 && full > 3, JSON.stringify(vehicle.counts));
  for (const stream of STREAMS) {
    const rows = await rowsOf(dataDir, stream);
    for (let i = 1; i < rows.length; i++)
      assert.ok(rows[i]!.key > rows[i - 1]!.key, `${stream}: keys rise, and none is twice`);
    const found = new Map(rows.map(({ key, payload }) => [payload, key]));
    assert.equal(found.size, rows.length, `${stream}: no message is there twice`);
    const known = gaps.get(stream)!;
    let missing = 0;
    for (const { stream: where, payload, acknowledged, from, to } of vehicle.published) {
      if (where !== stream) continue;
      const key = found.get(payload);
      if (key !== undefined) {
        assert.ok(key > from && key <= to, `${payload}: its key is of its time`);
      } else if (acknowledged) {
        missing++;
        assert.ok(
          known.some(({ start, end }) => start <= to && end > from),
          `${payload} is missing, and stands in no gap`,
        );
      }
    }
    const reasons = new Set(known.map(({ reason }) => reason));
    if (stream === 'strict') assert.equal(missing, 0, 'strict: what was acknowledged is there');
    if (stream === 'process')
      assert.ok(missing > 0 && reasons.has('deleted'), `${missing} deleted to make room`);
    if (stream === 'none') assert.ok(missing > 0 && reasons.has('crash'), `${missing} lost by crashes`);
    t.diagnostic(
      `${stream}: ${rows.length} rows, ${missing} missing and told, gaps: ${[...reasons].join(', ')}`,
    );
  }
  t.diagnostic(JSON.stringify(vehicle.counts));
});

async function rowsOf(dataDir: string, stream: string): Promise<{ key: number; payload: string }[]> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(
      `SELECT epoch_us(ts), decode(payload) FROM '${dataDir}/streams/${stream}/*/*.parquet' ORDER BY ts`,
    );
    return reader.getRows().map(([key, payload]) => ({ key: Number(key), payload: String(payload) }));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
