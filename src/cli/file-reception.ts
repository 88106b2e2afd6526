import { MqttStreamError } from '../errors.js';
import { createLog } from '../log.js';
import type { BrokerTarget } from '../transfer/address.js';
import { type ReceivedFile, Receiver } from '../transfer/receiver.js';
import type { ListedFile } from './listed-file.js';

export interface ReceptionOptions {
  readonly target: BrokerTarget;
  readonly dir: string;
  /** Of the search whose files are received. */
  readonly id: string;
  /** Give up when no file is complete for so long. */
  readonly silenceMs: number;
}

/** The files of one search, on their way here. To be started before the search is asked for. */
export class FileReception {
  readonly #id: string;
  readonly #silenceMs: number;
  readonly #received = new Map<string, ReceivedFile>();
  #receiver!: Receiver;
  #failure: MqttStreamError | null = null;
  #changed: () => void = () => {};

  private constructor({ id, silenceMs }: ReceptionOptions) {
    this.#id = id;
    this.#silenceMs = silenceMs;
  }

  /** @throws BROKER_UNREACHABLE */
  static async start(options: ReceptionOptions): Promise<FileReception> {
    const { target, dir, id } = options;
    const reception = new FileReception(options);
    reception.#receiver = await Receiver.start({
      ...target,
      dir,
      filter: `ParquetFile/${id}/#`,
      // Each failure is told by `files`.
      log: createLog({ level: 'silent', format: 'text' }, () => {}),
      onFile: (file) => {
        reception.#received.set(file.name, file);
        reception.#changed();
      },
      onError: (error) => {
        reception.#failure ??= error;
        reception.#changed();
      },
    });
    return reception;
  }

  /**
   * The files that a result names, once they are all here and are what it says.
   * @throws ANSWER_INCOMPLETE, TRANSFER_CHECKSUM and what else a `Receiver` reports.
   */
  async files(listed: readonly ListedFile[], onFile: (file: ReceivedFile) => void): Promise<void> {
    for (const { name, sha256 } of listed) {
      while (!this.#received.has(name)) await this.#change(name);
      const file = this.#received.get(name)!;
      if (file.sha256 !== sha256) throw new MqttStreamError('TRANSFER_CHECKSUM', [name, 'sha256']);
      onFile(file);
    }
  }

  close(): Promise<void> {
    return this.#receiver.close();
  }

  async #change(name: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    if (this.#failure === null) {
      await new Promise<void>((resolve, reject) => {
        this.#changed = resolve;
        const silence = `the file ${name} did not come within ${this.#silenceMs / 1000} s`;
        const late = new MqttStreamError('ANSWER_INCOMPLETE', [this.#id, silence]);
        timer = setTimeout(reject, this.#silenceMs, late);
      }).finally(() => clearTimeout(timer));
    }
    if (this.#failure !== null) throw this.#failure;
  }
}
