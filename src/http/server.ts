import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bound } from '../broker/listeners.js';
import { asKnown, MqttStreamError } from '../errors.js';
import type { Logger } from '../log.js';
import { type Measured, Metrics } from './metrics.js';

export interface HttpOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

export interface HttpParts extends Measured {
  readonly log: Logger;
  /** Whether MQTT clients are served. */
  readonly state: () => 'starting' | 'ready' | 'stopping';
}

type Route = () => Answer | Promise<Answer>;

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const METHODS = ['GET', 'HEAD'];
const MOST_CONNECTIONS = 100;
const HEADER_BYTES = 8192;
/** For the whole head of a request; bodies are not read. */
const REQUEST_MS = 10_000;
/** A connection on which nothing moves. */
const IDLE_MS = 30_000;

/** Health and metrics over HTTP, for machines: never HTML. */
export class HttpInterface {
  readonly #parts: HttpParts;
  readonly #metrics: Metrics;
  readonly #server = createServer(
    { maxHeaderSize: HEADER_BYTES, headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS },
    (request, response) => void this.#serve(request, response),
  );
  readonly #routes: ReadonlyMap<string, Route> = new Map<string, Route>([
    ['/healthz', () => json(200, { status: 'ok' })],
    ['/readyz', () => this.#ready()],
    ['/metrics', () => this.#measured()],
  ]);
  readonly #host: string;
  #port = 0;

  private constructor(host: string, parts: HttpParts) {
    this.#host = host;
    this.#parts = parts;
    this.#metrics = new Metrics(parts);
    this.#server.maxConnections = MOST_CONNECTIONS;
    this.#server.setTimeout(IDLE_MS);
  }

  /** Rejects with PORT_IN_USE or LISTEN_FAILED. */
  static async start({ host, port }: HttpOptions, parts: HttpParts): Promise<HttpInterface> {
    const http = new HttpInterface(host, parts);
    try {
      await bound(http.#server, host, port);
    } catch (error) {
      http.#metrics.close();
      throw error;
    }
    http.#port = (http.#server.address() as AddressInfo).port;
    return http;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    const host = this.#host.includes(':') ? `[${this.#host}]` : this.#host;
    return `http://${host}:${this.#port}`;
  }

  close(): Promise<void> {
    this.#metrics.close();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#answer(request);
    } catch (thrown) {
      const error = asKnown(thrown);
      if (error.status >= 500)
        this.#parts.log.error({ err: thrown }, 'an HTTP request could not be answered');
      answer = json(error.status, { error });
    }
    // With a body that nobody reads the connection is of no use for another request.
    const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers;
    if (length !== '0' || encoding !== undefined) response.setHeader('connection', 'close');
    if (answer.status === 405) response.setHeader('allow', METHODS.join(', '));
    response.writeHead(answer.status, {
      'content-type': answer.type,
      'content-length': Buffer.byteLength(answer.body),
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    });
    response.end(answer.body);
  }

  #answer({ url = '', method = '' }: IncomingMessage): Answer | Promise<Answer> {
    const path = url.split('?', 1)[0];
    const route = this.#routes.get(path);
    if (route === undefined)
      throw new MqttStreamError('HTTP_NOT_FOUND', [[...this.#routes.keys()].join(', ')]);
    if (!METHODS.includes(method)) throw new MqttStreamError('HTTP_METHOD', [method, METHODS.join(', ')]);
    return route();
  }

  /** A stream that cannot be written is told but makes nobody unready: its messages are kept, and MQTT goes on. */
  #ready(): Answer {
    const status = this.#parts.state();
    const failing = [...this.#parts.streams.failures().keys()];
    return json(status === 'ready' ? 200 : 503, { status, failing });
  }

  async #measured(): Promise<Answer> {
    return { status: 200, type: this.#metrics.contentType, body: await this.#metrics.text() };
  }
}

function json(status: number, body: object): Answer {
  return { status, type: 'application/json; charset=utf-8', body: `${JSON.stringify(body)}\n` };
}
