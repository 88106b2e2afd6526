import { Redis, type RedisOptions } from 'ioredis';
import { MqttStreamError, textOf } from '../../../errors.js';
import { ADOPT, BEAT, CLAIM, COMMIT, FIND, JOIN, READ, RETAINED } from './scripts.js';

type Argument = string | number | Buffer;
/** As Redis answers: texts as they are. */
export type Answer = Buffer | number | null | readonly Answer[];

const SCRIPTS = {
  commit: COMMIT,
  claim: CLAIM,
  read: READ,
  find: FIND,
  retained: RETAINED,
  join: JOIN,
  beat: BEAT,
  adopt: ADOPT,
};
type Script = keyof typeof SCRIPTS;
type Call = (prefix: string, args: readonly Argument[]) => Promise<Answer>;

/** Between two attempts to connect, ms. */
const AGAIN_MS = 250;
/** What ioredis says of a command that got no answer. */
const TIMED_OUT = 'Command timed out';

export interface LinkParts {
  readonly url: string;
  readonly prefix: string;
  /** How long Redis may take to answer, ms. */
  readonly patience: number;
  /** Published on one of the channels; in the order in which Redis executed it. */
  readonly heard: (channel: string, message: Buffer) => void;
  readonly lost: (error: Error) => void;
  /** Both connections are there again; nothing is listened to yet. */
  readonly restored: () => void;
}

/** Two connections to Redis: one for commands, one that hears what is published. */
export class Link {
  readonly address: string;
  readonly #parts: LinkParts;
  readonly #commands: Redis;
  readonly #hearing: Redis;
  #up = false;
  #opened = false;

  private constructor(parts: LinkParts) {
    this.#parts = parts;
    this.address = addressOf(parts.url);
    const options: RedisOptions = {
      lazyConnect: true,
      connectTimeout: parts.patience,
      keepAlive: parts.patience,
      // What was under way when the connection broke is ours to send again, or not.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => (this.#opened ? AGAIN_MS : null),
    };
    this.#commands = new Redis(parts.url, { ...options, commandTimeout: parts.patience });
    this.#hearing = new Redis(parts.url, options);
    for (const name of Object.keys(SCRIPTS) as Script[]) {
      this.#commands.defineCommand(name, { numberOfKeys: 1, lua: SCRIPTS[name] });
    }
    let reason: Error | null = null;
    for (const connection of [this.#commands, this.#hearing]) {
      connection.on('error', (error: Error) => {
        reason = error;
      });
      connection.on('close', () => this.#lost(reason ?? new Error('the connection has ended')));
      connection.on('ready', () => this.#ready());
    }
    this.#hearing.on('messageBuffer', (channel: Buffer, message: Buffer) => {
      parts.heard(channel.toString().slice(parts.prefix.length), message);
    });
  }

  /** Rejects with STORE_UNREACHABLE. */
  static async open(parts: LinkParts): Promise<Link> {
    const link = new Link(parts);
    try {
      await Promise.all([connected(link.#commands), connected(link.#hearing)]);
    } catch (error) {
      link.close();
      throw link.unreachable(error);
    }
    link.#opened = true;
    link.#up = true;
    return link;
  }

  /** Both connections are there. */
  get up(): boolean {
    return this.#up;
  }

  async listen(channels: readonly string[]): Promise<void> {
    await this.#hearing.subscribe(...channels.map((channel) => this.#parts.prefix + channel));
  }

  async run(script: Script, args: readonly Argument[]): Promise<Answer> {
    const call = (this.#commands as unknown as Record<string, Call>)[`${script}Buffer`]!;
    try {
      return await call.call(this.#commands, this.#parts.prefix, args);
    } catch (error) {
      if (error instanceof Error && error.message === TIMED_OUT) this.reconnect(error);
      throw error;
    }
  }

  /** One command on a name. */
  ask(command: 'smembers' | 'hget' | 'del', name: string, ...args: string[]): Promise<Answer> {
    return this.#commands.callBuffer(command, this.#parts.prefix + name, ...args) as Promise<Answer>;
  }

  close(): void {
    this.#opened = false;
    this.#up = false;
    this.#commands.disconnect();
    this.#hearing.disconnect();
  }

  /** Begins anew. */
  reconnect(reason: Error): void {
    if (!this.#up) return;
    this.#lost(reason);
    this.#commands.disconnect(true);
  }

  unreachable(cause: unknown): MqttStreamError {
    return new MqttStreamError('STORE_UNREACHABLE', [this.address, textOf(cause)], { cause });
  }

  #lost(error: Error): void {
    if (!this.#up) return;
    this.#up = false;
    this.#parts.lost(this.unreachable(error));
  }

  #ready(): void {
    if (!this.#opened || this.#up) return;
    if (this.#commands.status !== 'ready' || this.#hearing.status !== 'ready') return;
    this.#up = true;
    this.#parts.restored();
  }
}

/** Says why not, other than `connect`. */
function connected(connection: Redis): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.once('error', reject);
    connection.connect().then(() => resolve(), reject);
  });
}

/** Without user and password. */
function addressOf(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}
