/** The broker's side of the thread that reads files. */
import { Worker } from 'node:worker_threads';
import { MqttStreamError, textOf } from '../errors.js';
import type { Answer, Order, ReaderStart } from './file-protocol.js';
import type { RowQuery } from './file-scan.js';

// A broken file can make its decoder fill memory: then this thread ends, not the process.
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 512 };

export class ReadingThread {
  readonly #worker: Worker;
  readonly #calls = new Map<number, Call>();
  #ids = 0;
  #ended = false;

  /** `onBreakdown` is called once if the thread ends by itself; all calls fail then. */
  constructor(entry: URL, start: ReaderStart, onBreakdown: (error: unknown) => void) {
    this.#worker = new Worker(entry, {
      name: 'mqtt-stream files',
      workerData: start,
      resourceLimits: RESOURCE_LIMITS,
    });
    this.#worker.unref();
    this.#worker.on('message', (answer: Answer) => this.#calls.get(answer.id)?.take(answer));
    const broken = (error: unknown) => {
      if (this.#ended) return;
      onBreakdown(error);
      const reason = `the thread that reads files ended: ${textOf(error)}`;
      this.#end(new MqttStreamError('INTERNAL', [reason], { cause: error }));
    };
    this.#worker.on('error', broken);
    this.#worker.on('exit', (code) => broken(new Error(`exit code ${code}`)));
  }

  open(query: RowQuery): Call {
    const id = ++this.#ids;
    const send = (order: Order) => this.#worker.postMessage(order);
    const call = new Call(id, send, () => {
      // Answers that are still under way are of no use to anybody.
      this.#calls.delete(id);
      if (this.#calls.size === 0) this.#worker.unref();
    });
    this.#calls.set(id, call);
    this.#worker.ref();
    send({ op: 'open', id, query });
    return call;
  }

  /** Ends the thread; all calls fail with `error`. */
  async stop(error: MqttStreamError): Promise<void> {
    this.#end(error);
    await this.#worker.terminate();
  }

  #end(error: MqttStreamError): void {
    this.#ended = true;
    for (const call of this.#calls.values()) call.fail(error);
  }
}

/** One query that the thread works on. */
export class Call {
  readonly #id: number;
  readonly #send: (order: Order) => void;
  readonly #onClose: () => void;
  #answered: Answer | null = null;
  #failed: MqttStreamError | null = null;
  #closed = false;
  #waiting: { resolve(answer: Answer): void; reject(error: MqttStreamError): void } | null = null;

  constructor(id: number, send: (order: Order) => void, onClose: () => void) {
    this.#id = id;
    this.#send = send;
    this.#onClose = onClose;
  }

  /** Asks for one answer. Not again before `answer` gave it. */
  ask(): void {
    this.#send({ op: 'next', id: this.#id });
  }

  answer(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#settle();
    });
  }

  /** Cancels what is still under way: an answer that is being waited for is the end. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#send({ op: 'cancel', id: this.#id });
    this.#onClose();
    this.take({ kind: 'end', id: this.#id });
  }

  take(answer: Answer): void {
    this.#answered = answer;
    this.#settle();
  }

  fail(error: MqttStreamError): void {
    this.#failed = error;
    this.#settle();
  }

  #settle(): void {
    if (this.#waiting === null) return;
    if (this.#answered !== null) this.#waiting.resolve(this.#answered);
    else if (this.#failed !== null) this.#waiting.reject(this.#failed);
    else return;
    this.#answered = null;
    this.#waiting = null;
  }
}
