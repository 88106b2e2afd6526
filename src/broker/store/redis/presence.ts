import { asKnown } from '../../../errors.js';
import { decodeMessage, type StoredMessage } from '../packet-codec.js';
import type { StoredSessionSummary } from '../session-table.js';
import type { Instance } from '../store.js';
import { Commit } from './commit.js';
import { Hearing } from './hearing.js';
import type { Link } from './link.js';
import { givenUp, Membership, type MembershipTimes } from './membership.js';
import { pairs, type QueueOfSession } from './queue-of-session.js';
import { readSessions } from './snapshot.js';

/** For how long what Redis refused is not tried again, ms. */
const AGAIN_MS = 1000;

export interface PresenceParts {
  readonly instance: string;
  readonly link: Link;
  readonly sessions: Map<string, QueueOfSession>;
  readonly times: MembershipTimes;
  /** Puts what did not wait for Redis. */
  readonly catchUp: () => void;
  readonly onFault: (error: Error) => void;
  readonly onRestored: () => void;
}

/** This instance among those on the same Redis: how it comes, is cut off, and comes again. */
export class Presence {
  readonly commit = new Commit((number, args) => this.#write(number, args));
  readonly hearing: Hearing;
  readonly membership: Membership;
  readonly #parts: PresenceParts;
  #here: Instance | null = null;
  #live = false;
  /** Reported, and not over yet. */
  #faulty = false;
  /** Of looking around: meanwhile the connection may be lost, and be there again. */
  #visit = 0;

  constructor(parts: PresenceParts) {
    this.#parts = parts;
    const shared = { ...parts, commit: this.commit };
    this.hearing = new Hearing({
      ...shared,
      learn: (stored, gen) => this.#learn(stored, gen),
      forget: (clientId) => this.#forget(clientId),
    });
    this.membership = new Membership({ ...shared, onFault: (error) => this.#fault(error) });
  }

  /** It hears of all others, and they of it. */
  get live(): boolean {
    return this.#live;
  }

  /** Rejects with STORE_UNREACHABLE. */
  async join(here: Instance): Promise<void> {
    this.#here = here;
    try {
      await this.#enter(here);
    } catch (error) {
      throw this.#parts.link.unreachable(error);
    }
    this.membership.begin(here);
  }

  leave(): void {
    this.#live = false;
    this.membership.end();
  }

  heard(channel: string, bytes: Buffer): void {
    try {
      if (channel.startsWith('to:')) this.membership.heard(bytes);
      else this.hearing.heard(channel, bytes);
    } catch (error) {
      this.#parts.onFault(asKnown(error));
    }
  }

  /** `anew`: what was missed of it may be anything. */
  #learn(stored: StoredSessionSummary, gen: string, anew = false): void {
    const { clientId } = stored;
    const here = this.#here!;
    if (!anew && this.#parts.sessions.get(clientId)?.gen === gen) {
      here.changed(stored);
      return;
    }
    here.forget(clientId);
    here.learn(stored);
    this.#parts.sessions.get(clientId)!.known(gen);
  }

  #forget(clientId: string): void {
    this.#here!.forget(clientId);
    this.#parts.sessions.delete(clientId);
  }

  /** Finds out how things are, then listens to how they change. */
  async #enter(here: Instance): Promise<void> {
    const { instance } = this.#parts;
    const visit = ++this.#visit;
    this.hearing.hold();
    await this.#parts.link.listen(['messages', 'changes', `to:${instance}`]);
    await this.membership.join();
    this.#parts.catchUp();
    const settled = this.hearing.settling();
    this.commit.resume();
    await this.commit.written();
    if (visit !== this.#visit) throw new Error('the connection was lost again');
    settled();
    const found = new Set<string>();
    for await (const { own, gen, ...stored } of readSessions(this.#parts.link)) {
      const { clientId } = stored;
      found.add(clientId);
      const known = this.#parts.sessions.get(clientId);
      if (known?.gen === gen && known.owned && own === instance) continue;
      if (known?.owned) here.release(clientId);
      this.#learn(stored, gen, true);
    }
    for (const [clientId, { stored }] of this.#parts.sessions) {
      if (stored && !found.has(clientId)) this.#forget(clientId);
    }
    await here.retainedAnew(this.#retained(), (topic) => this.hearing.ownIsLatest(topic));
    this.hearing.release(here);
    this.#live = true;
  }

  async *#retained(): AsyncGenerator<StoredMessage> {
    for (const [, value] of pairs(await this.#parts.link.run('retained', []))) yield decodeMessage(value);
  }

  lost(error: Error): void {
    this.#live = false;
    this.#visit++;
    this.hearing.hold();
    this.commit.pause();
    this.membership.lost(error);
    this.#fault(error);
  }

  async rejoin(): Promise<void> {
    const here = this.#here;
    if (here === null) return;
    try {
      const clients = [...here.clients()];
      // What was published for them elsewhere is in their queues: they come back and get it.
      here.interrupted(clients.filter((clientId) => this.#parts.sessions.get(clientId)?.stored));
      await this.#enter(here);
      here.interrupted(await this.#takenMeanwhile([...here.clients()]));
      this.#restored();
    } catch (error) {
      if (!this.#parts.link.up) return;
      this.#fault(this.#parts.link.unreachable(error));
      this.#again(() => void this.rejoin());
    }
  }

  /** Those of our clients that have come to another instance; who is nobody's is ours. */
  async #takenMeanwhile(clientIds: readonly string[]): Promise<string[]> {
    const taken: string[] = [];
    for (const clientId of clientIds) {
      const own = (await this.#parts.link.ask('hget', `s:${clientId}`, 'own')) as Buffer | null;
      if (own === null) await this.membership.claim(clientId, () => true);
      else if (own.toString() !== this.#parts.instance) taken.push(clientId);
    }
    return taken;
  }

  /** False: it is to be sent again. */
  async #write(number: number, args: readonly (string | number | Buffer)[]): Promise<boolean> {
    try {
      const dropped = (await this.#parts.link.run('commit', [
        this.#parts.instance,
        number,
        ...args,
      ])) as number;
      if (dropped > 0) this.#here?.dropped(dropped);
      if (dropped >= 0) {
        if (this.#live) this.#restored();
        return true;
      }
      // The others have given us up, and have our clients' sessions.
      this.#parts.link.reconnect(givenUp());
    } catch (error) {
      if (this.#parts.link.up) {
        this.#fault(this.#parts.link.unreachable(error));
        this.#again(() => this.commit.resume());
      }
    }
    return false;
  }

  #again(call: () => void): void {
    setTimeout(() => {
      if (this.#parts.link.up) call();
    }, AGAIN_MS).unref();
  }

  #restored(): void {
    if (!this.#faulty) return;
    this.#faulty = false;
    this.#parts.onRestored();
  }

  #fault(error: unknown): void {
    if (this.#faulty) return;
    this.#faulty = true;
    this.#parts.onFault(error instanceof Error ? error : new Error(String(error)));
  }
}
