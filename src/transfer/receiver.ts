import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { MqttStreamError } from '../errors.js';
import type { BrokerTarget } from './address.js';
import { Connection, type ConnectionOptions, type TransferLog } from './connection.js';
import { abortSchema, finSchema, initSchema, parseMessage } from './messages.js';
import { diskFs, Part, type ReceiverFs, receiveFailure } from './part.js';
import { type FileTopic, parseFileTopic } from './topics.js';

/** A file that was received, verified and is on the disk. */
export interface ReceivedFile {
  readonly id: string;
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly rows: number;
}

export interface ReceiverOptions extends BrokerTarget {
  /** Files go to `<dir>/<id>/<name>`. */
  readonly dir: string;
  readonly filter?: string;
  readonly log: TransferLog;
  readonly fs?: ReceiverFs;
  readonly onFile?: (file: ReceivedFile) => void;
  /** A file that is not kept, or a message that belongs to none. */
  readonly onError?: (error: MqttStreamError) => void;
  readonly reconnectMs?: ConnectionOptions['reconnectMs'];
}

/** Files open at a time. One more ends the one that has waited longest: its sender is likely gone. */
const MAX_OPEN = 64;
/** Files remembered after their end, so that what still comes of them is not told again. */
const MAX_ENDED = 1024;

/** Receives what a `TransferClient` sends and keeps only what verifies. */
export class Receiver {
  readonly #options: ReceiverOptions;
  readonly #fs: ReceiverFs;
  #connection!: Connection;
  /** By `<id>/<name>`; the one that was written last is last. */
  readonly #parts = new Map<string, Part>();
  readonly #ended = new Set<string>();
  readonly #received = { files: 0, bytes: 0, failed: 0 };

  private constructor(options: ReceiverOptions) {
    this.#options = options;
    this.#fs = options.fs ?? diskFs;
  }

  /** Resolves once subscribed. @throws BROKER_UNREACHABLE */
  static async start(options: ReceiverOptions): Promise<Receiver> {
    const receiver = new Receiver(options);
    receiver.#connection = await Connection.open({
      ...options,
      clientId: `mqtt-stream-receiver-${randomBytes(8).toString('hex')}`,
      filter: options.filter ?? 'ParquetFile/#',
      onMessage: (topic, payload) => receiver.#onMessage(topic, payload),
    });
    return receiver;
  }

  /** Files kept, their bytes, and files given up. */
  get received(): { readonly files: number; readonly bytes: number; readonly failed: number } {
    return { ...this.#received };
  }

  /** Files that are not complete fail and are removed. */
  async close(): Promise<void> {
    await this.#connection.close();
    for (const [key, part] of this.#parts) {
      await this.#fail(
        key,
        new MqttStreamError('TRANSFER_INCOMPLETE', [part.init.name, 'the receiver ended']),
      );
    }
  }

  /** One at a time: the connection waits for the promise before it takes the next message. */
  async #onMessage(topic: string, payload: Buffer): Promise<void> {
    const target = parseFileTopic(topic);
    if (target === null) {
      const shown = JSON.stringify(topic.slice(0, 200));
      this.#report(new MqttStreamError('TRANSFER_BAD_REQUEST', [`topic ${shown} belongs to no file`]));
      return;
    }
    const key = `${target.id}/${target.name}`;
    let kept: ReceivedFile | null = null;
    try {
      if (target.step === 'init') await this.#begin(key, target, payload);
      else if (!this.#ended.has(key)) kept = await this.#continue(key, target, payload);
    } catch (thrown) {
      await this.#fail(key, receiveFailure(target.name, thrown));
    }
    if (kept) this.#options.onFile?.(kept);
  }

  async #begin(key: string, { id, name }: FileTopic, payload: Buffer): Promise<void> {
    const old = this.#parts.get(key);
    this.#parts.delete(key);
    await old?.discard();
    const init = parseMessage(initSchema, payload);
    if (init.name !== name) {
      throw new MqttStreamError('TRANSFER_INCOMPLETE', [name, `it is announced as "${init.name}"`]);
    }
    const [eldest] = this.#parts;
    if (eldest && this.#parts.size >= MAX_OPEN) {
      const reason = `more than ${MAX_OPEN} files are open`;
      await this.#fail(eldest[0], new MqttStreamError('TRANSFER_INCOMPLETE', [eldest[1].init.name, reason]));
    }
    this.#parts.set(key, await Part.open(this.#fs, join(this.#options.dir, id), init));
    this.#ended.delete(key);
  }

  /** Resolves with the file when this was the last of it. */
  async #continue(key: string, { id, name, step }: FileTopic, payload: Buffer): Promise<ReceivedFile | null> {
    if (step === 'abort') {
      const { code, message } = parseMessage(abortSchema, payload);
      throw new MqttStreamError('TRANSFER_INCOMPLETE', [name, `its sender gave up, ${code}: ${message}`]);
    }
    const part = this.#parts.get(key);
    if (!part) throw new MqttStreamError('TRANSFER_INCOMPLETE', [name, 'its start was not received']);
    if (step !== 'fin') {
      await part.write(step as number, payload);
      this.#parts.delete(key);
      this.#parts.set(key, part);
      return null;
    }
    const path = await part.finish(parseMessage(finSchema, payload));
    this.#parts.delete(key);
    this.#end(key);
    const { bytes, sha256, rows } = part.init;
    this.#received.files++;
    this.#received.bytes += bytes;
    this.#options.log.info({ id, file: name, bytes }, 'file received');
    return { id, name, path, bytes, sha256, rows };
  }

  async #fail(key: string, error: MqttStreamError): Promise<void> {
    const part = this.#parts.get(key);
    this.#parts.delete(key);
    this.#end(key);
    this.#received.failed++;
    await part
      ?.discard()
      .catch((err) => this.#options.log.error({ key, err }, 'a part could not be removed'));
    this.#report(error);
  }

  #end(key: string): void {
    this.#ended.delete(key);
    this.#ended.add(key);
    if (this.#ended.size > MAX_ENDED) {
      const [eldest] = this.#ended;
      this.#ended.delete(eldest!);
    }
  }

  #report(error: MqttStreamError): void {
    this.#options.log.error({ code: error.code, err: error }, error.message);
    this.#options.onError?.(error);
  }
}
