/** A stock broker, a data folder and a log to look at, for the tests of this folder. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Aedes, type AedesOptions } from 'aedes';
import type { TransferLog } from '../../src/transfer/connection.js';
import type { TransferFile, TransferRequest } from '../../src/transfer/messages.js';
import { TRANSFER_TOPIC } from '../../src/transfer/topics.js';

export class TestBroker {
  readonly aedes: Aedes;
  readonly #server: Server;

  private constructor(aedes: Aedes, server: Server) {
    this.aedes = aedes;
    this.#server = server;
  }

  static async start(options: AedesOptions = {}, port = 0): Promise<TestBroker> {
    const aedes = await Aedes.createBroker(options);
    const server = createServer({ noDelay: true }, (socket) => aedes.handle(socket));
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return new TestBroker(aedes, server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  publish(topic: string, payload: string | Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.aedes.publish({ cmd: 'publish', topic, payload, qos: 1, retain: false, dup: false }, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }

  request(request: TransferRequest): Promise<void> {
    return this.publish(TRANSFER_TOPIC, JSON.stringify(request));
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    await new Promise<void>((resolve) => this.aedes.close(() => resolve()));
    await closed;
  }
}

export async function startBroker(
  t: TestContext,
  options?: AedesOptions,
  port?: number,
): Promise<TestBroker> {
  const broker = await TestBroker.start(options, port);
  t.after(() => broker.stop());
  return broker;
}

export async function tempFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mqtt-stream-transfer-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Every line with its level, and a way to wait for one. */
export class TestLog implements TransferLog {
  readonly lines: { level: string; fields: object; message: string }[] = [];
  #waiting: { pattern: RegExp; resolve: () => void }[] = [];
  readonly debug = this.#writer('debug');
  readonly info = this.#writer('info');
  readonly warn = this.#writer('warn');
  readonly error = this.#writer('error');

  /** Resolves when a line has been or is written. */
  async line(pattern: RegExp): Promise<void> {
    if (this.count(pattern) > 0) return;
    await new Promise<void>((resolve) => this.#waiting.push({ pattern, resolve }));
  }

  count(pattern: RegExp): number {
    return this.lines.filter((line) => pattern.test(line.message)).length;
  }

  #writer(level: string) {
    return (fields: object, message: string): void => {
      this.lines.push({ level, fields, message });
      this.#waiting = this.#waiting.filter(({ pattern, resolve }) => {
        if (!pattern.test(message)) return true;
        resolve();
        return false;
      });
    };
  }
}

/** Reproducible bytes that are not all alike. */
export function bytesOf(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function describeFile(seq: number, content: Buffer): TransferFile {
  const name = `1732330000000000~1732330005000000_${seq}.parquet`;
  return {
    name,
    path: `streams/vehicle/date=2024-11-23/${name}`,
    bytes: content.length,
    sha256: sha256Of(content),
    rows: 10,
    firstKey: 1732330000000000,
    lastKey: 1732330005000000,
  };
}

/** Puts a file where a recorder would. */
export async function storeFile(root: string, seq: number, content: Buffer): Promise<TransferFile> {
  const file = describeFile(seq, content);
  const path = join(root, file.path);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, content);
  return file;
}

export function requestOf(
  root: string,
  files: TransferFile[],
  { id = 'r1', chunkBytes = 64 * 1024 } = {},
): TransferRequest {
  return { id, stream: 'vehicle', root, chunkBytes, files };
}

/** A promise and its ends. */
export function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
