import { decodeMessage } from '../packet-codec.js';
import type { SessionRecord } from '../session-codec.js';
import type { Instance, StoredWill } from '../store.js';
import type { Commit } from './commit.js';
import type { Answer, Link } from './link.js';
import type { QueueOfSession } from './queue-of-session.js';

export interface MembershipTimes {
  /** How often an instance says that it is there, and how long it counts as alive without, ms. */
  readonly beat: number;
  readonly alive: number;
  /** How long an instance may take to let a client go, ms. */
  readonly patience: number;
}

export const TIMES: MembershipTimes = { beat: 1000, alive: 5000, patience: 3000 };

/**
 * To one instance: let a client go that it got with this turn, to that one; ask again, it may have been let go; what was
 * published before has been heard, and the client that was claimed is here, with this turn.
 */
type Note =
  | readonly ['take', clientId: string, to: string, turn: string]
  | readonly ['given', clientId: string]
  | readonly ['fence', number: string, turn?: string];

export interface MembershipParts {
  readonly instance: string;
  readonly link: Link;
  readonly commit: Commit;
  readonly sessions: ReadonlyMap<string, QueueOfSession>;
  readonly times: MembershipTimes;
  readonly onFault: (error: unknown) => void;
}

export function givenUp(): Error {
  return new Error('the other instances have given this one up');
}

/** Which instance has which client: asked for, given away, taken over from one that is gone. */
export class Membership {
  readonly #parts: MembershipParts;
  #here: Instance | null = null;
  #beat: NodeJS.Timeout | null = null;
  #beating = false;
  /** Those that this instance has, each with the turn in which it got it. */
  readonly #clients = new Map<string, string>();
  /** Who waits until a fence is heard, by its number. */
  readonly #fences = new Map<string, (error: Error | null, turn?: string) => void>();
  #nextFence = 0;
  /** Who waits for a client to be given. */
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(parts: MembershipParts) {
    this.#parts = parts;
  }

  /** Counts as alive from now on. */
  async join(): Promise<void> {
    const { link, instance, times } = this.#parts;
    await link.run('join', [instance, times.alive]);
  }

  /** Looks after the others. */
  begin(here: Instance): void {
    this.#here = here;
    this.#beat ??= setInterval(() => {
      if (!this.#beating && this.#parts.link.up) void this.#look();
    }, this.#parts.times.beat);
    this.#beat.unref();
  }

  end(): void {
    if (this.#beat !== null) clearInterval(this.#beat);
  }

  /** What was on its way is not heard any more. */
  lost(error: Error): void {
    for (const passed of this.#fences.values()) passed(error);
    this.#fences.clear();
    for (const waiting of this.#waiting.values()) for (const go of waiting) go();
  }

  heard(bytes: Buffer): void {
    const note = JSON.parse(bytes.toString()) as Note;
    const [kind, what] = note;
    if (kind === 'fence') {
      this.#fences.get(what)?.(null, note[2]);
      this.#fences.delete(what);
    } else if (kind === 'given') {
      for (const go of this.#waiting.get(what) ?? []) go();
    } else {
      const [, , to, turn] = note;
      // Else whoever is here now has come since.
      if (this.#clients.get(what) === turn) this.#give(what);
      this.#parts.commit.add('give', what, to, turn);
    }
  }

  /** A client is gone, and nothing of it lasts. */
  left(clientId: string): void {
    this.#clients.delete(clientId);
    this.#parts.commit.add('left', clientId);
  }

  /** See `Others.claim`. */
  async claim(clientId: string, wanted: () => boolean): Promise<readonly number[] | null> {
    const { sessions, times } = this.#parts;
    const before = sessions.get(clientId)?.owned === true;
    const until = performance.now() + times.patience;
    for (;;) {
      // Who is not wanted any more takes nothing away; but it may have been given the client meanwhile.
      const how = !wanted() ? 'keep' : performance.now() > until ? 'take' : 'ask';
      const [owner, received, will] = await this.#ask(clientId, how);
      if (owner.length === 0) {
        if (will) this.#leftBehind(clientId, decodeMessage(will) as StoredWill);
        if (wanted()) return before ? null : received.map(Number);
        if (!before && this.#clients.has(clientId)) this.#abandoned(clientId);
        return null;
      }
      if (how === 'keep') return null;
      await this.#given(clientId, until);
    }
  }

  async #ask(
    clientId: string,
    how: string,
  ): Promise<[owner: Buffer, received: Buffer[], will: Buffer | null]> {
    const { instance, sessions } = this.#parts;
    const args = (fence: string) => [instance, clientId, how, fence];
    const answer = await this.#fenced('claim', args, (turn) => {
      this.#clients.set(clientId, turn!);
      const session = sessions.get(clientId);
      if (session !== undefined) session.owned = true;
    });
    return answer as [Buffer, Buffer[], Buffer | null];
  }

  /** What is queued for a client. */
  async read(clientId: string): Promise<readonly [Answer, Answer]> {
    const { instance, commit } = this.#parts;
    await commit.written();
    return (await this.#fenced('read', (fence) => [instance, clientId, fence])) as [Answer, Answer];
  }

  /** Resolves to the answer when all has been heard that was published before. `passed`: at that very moment. */
  async #fenced(
    script: 'claim' | 'read' | 'adopt',
    args: (fence: string) => (string | number)[],
    passed: (turn?: string) => void = () => {},
  ): Promise<readonly Answer[]> {
    const number = String(this.#nextFence++);
    const heard = new Promise<void>((resolve, reject) => {
      this.#fences.set(number, (error, turn) => {
        if (error !== null) return reject(error);
        passed(turn);
        resolve();
      });
    });
    heard.catch(() => {});
    try {
      const answer = (await this.#parts.link.run(script, args(number))) as Answer[];
      // A claim that was not granted has none.
      if (script !== 'claim' || (answer[0] as Buffer).length === 0) await heard;
      return answer;
    } finally {
      this.#fences.delete(number);
    }
  }

  #give(clientId: string): void {
    this.#clients.delete(clientId);
    this.#here?.give(clientId);
    const session = this.#parts.sessions.get(clientId);
    if (session !== undefined) session.owned = false;
  }

  #given(clientId: string, until: number): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(clientId) ?? new Set();
      this.#waiting.set(clientId, waiting);
      const go = () => {
        clearTimeout(timer);
        waiting.delete(go);
        if (waiting.size === 0) this.#waiting.delete(clientId);
        resolve();
      };
      const timer = setTimeout(go, Math.max(1, until - performance.now()));
      waiting.add(go);
    });
  }

  /** The client is back before anybody noticed that its instance is gone: a will without delay is due. */
  #leftBehind(clientId: string, will: StoredWill): void {
    if (will.delay === 0 || !this.#parts.sessions.has(clientId)) this.#here?.publishWill(will);
    else this.#parts.commit.add('unwill', clientId);
  }

  /** The client has gone before it was let in. */
  #abandoned(clientId: string): void {
    const here = this.#here!;
    if (new Set(here.clients()).has(clientId)) return;
    if (this.#parts.sessions.has(clientId)) here.adopt(clientId, null, null);
    else this.left(clientId);
  }

  async #look(): Promise<void> {
    const { link, instance, times } = this.#parts;
    this.#beating = true;
    try {
      const gone = (await link.run('beat', [instance, times.alive])) as Buffer[] | null;
      // The others have given us up: whoever is connected here may be connected elsewhere.
      if (gone === null) link.reconnect(givenUp());
      for (const other of gone ?? []) await this.#adopt(other.toString());
    } catch (error) {
      // That the connection is lost has been reported.
      if (link.up) this.#parts.onFault(error);
    } finally {
      this.#beating = false;
    }
  }

  async #adopt(gone: string): Promise<void> {
    const { instance, sessions } = this.#parts;
    const clients = await this.#fenced('adopt', (fence) => [instance, gone, fence]);
    const connected = new Set(this.#here!.clients());
    for (const [id, record, bytes, turn] of clients as [Buffer, Buffer | null, Buffer | null, Buffer][]) {
      const clientId = id.toString();
      this.#clients.set(clientId, turn.toString());
      const will = bytes === null ? null : (decodeMessage(bytes) as StoredWill);
      if (connected.has(clientId)) {
        if (will !== null) this.#leftBehind(clientId, will);
        continue;
      }
      const session = sessions.get(clientId);
      if (record !== null && session !== undefined) {
        session.owned = true;
        const { disconnectedAt } = JSON.parse(record.toString()) as SessionRecord;
        this.#here!.adopt(clientId, disconnectedAt, will);
      } else {
        if (will !== null) this.#here!.publishWill(will);
        this.left(clientId);
      }
    }
  }
}
