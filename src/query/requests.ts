import { setMaxListeners } from 'node:events';
import type { Audit } from '../audit.js';
import { asKnown, MqttStreamError } from '../errors.js';
import { topicTail } from '../topics.js';
import { type AnswerParts, Answers, type Rights } from './answers.js';
import { unlessAborted } from './replay.js';
import { parseRequest, type Request, type RequestOp, requestId } from './request.js';
import type { Result } from './result.js';

export interface RequestsParts extends AnswerParts {
  /** Answers to all who subscribed to `$STREAM/result/<name>`, and to who asked. */
  readonly reply: (name: string, result: Result, asked: Asked) => void;
  readonly audit: Audit;
  /** Most requests answered at once. */
  readonly limit: number;
}

/** A request as it came in. */
export interface Asked {
  /** What follows `$STREAM/`. */
  readonly verb: string;
  readonly payload: Uint8Array;
  readonly clientId: string;
  readonly responseTopic: string | undefined;
  readonly correlationData: Buffer | undefined;
  /** False: this client asks too often. */
  readonly allowed: boolean;
  /** Left out: who asks is inside this process, and may do everything. */
  readonly rights?: Rights;
}

/** Bytes of a request that are written down. */
const MOST_AUDITED = 1024;
const OPS: readonly string[] = ['search', 'replay', 'flush', 'files', 'status'] satisfies RequestOp[];

/** Answers what clients ask on `$STREAM/...`: always with a result, never by closing a connection. */
export class Requests {
  readonly #parts: RequestsParts;
  readonly #answers: Answers;
  readonly #running = new Set<string>();
  readonly #stopping = new AbortController();
  #idle: (() => void) | null = null;

  constructor(parts: RequestsParts) {
    this.#parts = parts;
    this.#answers = new Answers(parts, this.#stopping.signal);
    // One a request, and one more for each that waits for its subscribers.
    setMaxListeners(0, this.#stopping.signal);
  }

  get running(): number {
    return this.#running.size;
  }

  /** Never rejects. */
  async answer(asked: Asked): Promise<Result> {
    const { reply, audit } = this.#parts;
    let id: string | null = null;
    let result: Result;
    try {
      id = requestId(asked.payload);
      result = await this.#admitted(asked, id);
    } catch (error) {
      result = { id, op: asked.verb, ok: false, error: asKnown(error).toJSON() };
    }
    audit.record({
      audit: 'history',
      client: asked.clientId,
      op: asked.verb,
      request: Buffer.from(asked.payload.subarray(0, MOST_AUDITED)).toString(),
      error: result.error?.code ?? null,
      messages: result.messages?.count ?? 0,
      files: result.files?.length ?? 0,
    });
    reply(id ?? topicTail(asked.clientId), result, asked);
    return result;
  }

  /** Ends all requests with SHUTTING_DOWN and waits for their answers. */
  async close(): Promise<void> {
    this.#stopping.abort(new MqttStreamError('SHUTTING_DOWN'));
    if (this.#running.size > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
  }

  async #admitted(asked: Asked, id: string | null): Promise<Result> {
    const { clock, limit } = this.#parts;
    this.#stopping.signal.throwIfAborted();
    if (!asked.allowed) {
      throw new MqttStreamError('REQUEST_LIMIT', ['this client asks more often than requestsPerSecond']);
    }
    if (!OPS.includes(asked.verb)) throw new MqttStreamError('REQUEST_UNKNOWN', [`$STREAM/${asked.verb}`]);
    const now = { wall: clock.wallNow(), key: clock.now() };
    const request: Request = parseRequest(asked.verb as RequestOp, asked.payload, now);
    if (this.#running.size >= limit) {
      throw new MqttStreamError('REQUEST_LIMIT', [`${limit} are being answered already`]);
    }
    if (this.#running.has(request.id)) throw new MqttStreamError('REQUEST_ID_BUSY', [id]);
    this.#running.add(request.id);
    try {
      return await unlessAborted(this.#answers.to(request, asked.rights), this.#stopping.signal);
    } finally {
      this.#running.delete(request.id);
      if (this.#running.size === 0) this.#idle?.();
    }
  }
}
