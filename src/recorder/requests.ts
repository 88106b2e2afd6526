import { type ErrorCode, MqttStreamError } from '../errors.js';
import type { Answer, Request } from './protocol.js';

interface Pending {
  readonly request: Request;
  resolve(answer: Answer): void;
  reject(error: MqttStreamError): void;
}

/** The requests that the worker has not answered yet; they outlive the worker. */
export class PendingRequests {
  readonly #pending = new Map<number, Pending>();
  #nextId = 0;

  /** The worker's answer to the request that `make` makes for an id and sends. */
  ask(make: (id: number) => Request, send: (request: Request) => void): Promise<Answer> {
    const request = make(this.#nextId++);
    return new Promise((resolve, reject) => {
      this.#pending.set(request.id, { request, resolve, reject });
      send(request);
    });
  }

  done(id: number, answer: Answer): void {
    this.#settle(id)?.resolve(answer);
  }

  undone(id: number, error: string): void {
    const pending = this.#settle(id);
    pending?.reject(new MqttStreamError(...failureOf(pending.request, error)));
  }

  rejectAll(code: ErrorCode): void {
    for (const { reject } of this.#pending.values()) reject(new MqttStreamError(code));
    this.#pending.clear();
  }

  /** In the order they were asked. */
  requests(): Request[] {
    return [...this.#pending.values()].map(({ request }) => request);
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }
}

function failureOf(request: Request, error: string): [ErrorCode, string[]] {
  return request.kind === 'hash'
    ? ['TRANSFER_READ_FAILED', [request.path, error]]
    : ['FLUSH_FAILED', [request.stream, error]];
}
