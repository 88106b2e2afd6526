import { randomBytes } from 'node:crypto';
import { asKnown, MqttStreamError, textOf } from '../errors.js';
import type { Keyring } from '../seal/keyring.js';
import { TRANSFER_USER } from '../topics.js';
import {
  type Broker,
  Connection,
  ConnectionLost,
  type ConnectionOptions,
  type TransferLog,
} from './connection.js';
import { type Abort, parseMessage, type TransferRequest, transferRequestSchema } from './messages.js';
import { type Sending, sendFile } from './sending.js';
import { type OpenFile, openForReading, Source } from './source.js';
import { fileTopic, type Step, TRANSFER_TOPIC } from './topics.js';

interface TransferSettings {
  /** Instead of the `root` of requests: where this machine has the data folder. */
  readonly dataDir?: string;
  readonly log: TransferLog;
  readonly open?: OpenFile;
  /** For files that are to be sent decrypted. */
  readonly keyring?: Keyring;
  /** Makes the client id unique. */
  readonly random?: () => string;
  readonly reconnectMs?: ConnectionOptions['reconnectMs'];
  /** How long `close` tries to tell receivers about files it does not send any more. */
  readonly closeMs?: number;
}

/** A user name in the URL is not used. */
export type TransferClientOptions = TransferSettings & Broker;

interface Job extends Sending {
  readonly id: string;
  readonly root: string;
}

/** Connections one file may be begun on before it is given up. */
const ATTEMPTS = 10;

/**
 * Sends Parquet files as the broker asks for them, one after the other. A file is sent whole or its
 * receivers are told by `abort`.
 */
export class TransferClient {
  readonly #options: TransferClientOptions;
  #connection!: Connection;
  /** By `<id>/<name>`, in order; the first is at work. */
  readonly #jobs = new Map<string, Job>();
  readonly #sent = { files: 0, bytes: 0, failed: 0 };
  #idle: (() => void)[] = [];
  #serving = false;
  #closing: Promise<void> | null = null;

  private constructor(options: TransferClientOptions) {
    this.#options = options;
  }

  /** Resolves once requests are received. @throws BROKER_UNREACHABLE */
  static async start(options: TransferClientOptions): Promise<TransferClient> {
    const client = new TransferClient(options);
    const random = options.random ?? (() => randomBytes(8).toString('hex'));
    client.#connection = await Connection.open({
      ...('connect' in options ? options : { ...options, username: options.username ?? TRANSFER_USER }),
      clientId: `${TRANSFER_USER}-${random()}`,
      filter: TRANSFER_TOPIC,
      onMessage: (_topic, payload) => client.#onRequest(payload),
    });
    // Requests that came with the subscription have waited for this.
    void client.#serve();
    return client;
  }

  /** Files sent whole, their bytes, and files given up. */
  get sent(): { readonly files: number; readonly bytes: number; readonly failed: number } {
    return { ...this.#sent };
  }

  /** Resolves when nothing is asked for any more; a file waits for a lost connection to come back. */
  async idle(): Promise<void> {
    if (this.#jobs.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Gives up what is not sent yet, and tells so. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const deadline = setTimeout(() => this.#connection.close(), this.#options.closeMs ?? 2000);
    if (!this.#connection.isUp) await this.#connection.close();
    await this.idle();
    clearTimeout(deadline);
    await this.#connection.close();
  }

  #onRequest(payload: Buffer): void {
    let request: TransferRequest;
    try {
      request = parseMessage(transferRequestSchema, payload);
    } catch (thrown) {
      const error = asKnown(thrown);
      this.#options.log.error({ code: error.code }, error.message);
      return;
    }
    const { id, stream, chunkBytes } = request;
    for (const file of request.files) {
      const key = `${id}/${file.name}`;
      if (this.#jobs.has(key)) {
        this.#options.log.info({ id, file: file.name }, 'asked for again while being sent');
      } else {
        const root = this.#options.dataDir ?? request.root;
        this.#jobs.set(key, { id, root, stream, chunkBytes, file });
      }
    }
    if (this.#connection) void this.#serve();
  }

  async #serve(): Promise<void> {
    if (this.#serving) return;
    this.#serving = true;
    // A Map's iterator also visits what is added while it runs.
    for (const [key, job] of this.#jobs) {
      await this.#process(job);
      this.#jobs.delete(key);
    }
    this.#serving = false;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  async #process(job: Job): Promise<void> {
    const { id, file } = job;
    const { log } = this.#options;
    try {
      await this.#persist(job, () => this.#send(job));
      this.#sent.files++;
      this.#sent.bytes += file.bytes;
      log.info({ id, file: file.name, bytes: file.bytes }, 'file sent');
    } catch (thrown) {
      const error = failure(file.name, thrown);
      this.#sent.failed++;
      log.error({ id, file: file.name, code: error.code, err: error }, error.message);
      const abort: Abort = error.toJSON();
      await this.#persist(job, () => this.#publish(job, 'abort', JSON.stringify(abort))).catch((err) =>
        log.error({ id, file: file.name, err }, 'receivers could not be told that the file is not sent'),
      );
    }
  }

  async #send(job: Job): Promise<void> {
    this.#checkOpen();
    const { open = openForReading, keyring } = this.#options;
    const source = await Source.open(job.root, job.file, open, keyring);
    try {
      await sendFile(source, job, async (step, payload) => {
        this.#checkOpen();
        await this.#publish(job, step, payload);
      });
    } finally {
      await source.close();
    }
  }

  #checkOpen(): void {
    if (this.#closing) throw new MqttStreamError('SHUTTING_DOWN');
  }

  #publish({ id, file }: Job, step: Step, payload: string | Buffer): Promise<void> {
    return this.#connection.publish(fileTopic(id, file.name, step), payload);
  }

  /** Does the whole work again, on the next connection, when the connection is lost in the middle. */
  async #persist(job: Job, work: () => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      await this.#connection.up();
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof ConnectionLost) || attempt === ATTEMPTS) throw error;
        this.#options.log.warn({ id: job.id, file: job.file.name, attempt }, 'sent again from its start');
      }
    }
  }
}

function failure(name: string, thrown: unknown): MqttStreamError {
  return thrown instanceof MqttStreamError
    ? thrown
    : new MqttStreamError('TRANSFER_INCOMPLETE', [name, textOf(thrown)], { cause: thrown });
}
