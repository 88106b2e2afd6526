import { open } from 'node:fs/promises';
import { pino } from 'pino';
import type { Audit, AuditEvent, AuditKind } from '../audit.js';
import { MqttStreamError, textOf } from '../errors.js';
import { createLog, type Logger } from '../log.js';
import { Allowance } from './allowance.js';

export interface AuditOptions {
  readonly enabled: boolean;
  /** JSON lines are added to it; empty: the events stand in the log, with `channel: audit`. */
  readonly file: string;
}

const TEXTS: Readonly<Record<AuditKind, string>> = {
  connected: 'a client connected',
  refused: 'a connection was refused',
  disconnected: 'a client disconnected',
  'publish-denied': 'a publish was denied',
  'subscribe-denied': 'a subscription was denied',
  history: 'a request was answered',
  config: 'the configuration was applied',
};

/** Whoever floods the broker must not fill the disk: so much of a kind is written at once, and so much a second. */
const MUCH = [20_000, 20] as const;
const LITTLE = [100, 10] as const;
const ALLOWED: Readonly<Record<AuditKind, readonly [burst: number, aSecond: number]>> = {
  connected: MUCH,
  disconnected: MUCH,
  history: MUCH,
  config: MUCH,
  refused: LITTLE,
  'publish-denied': LITTLE,
  'subscribe-denied': LITTLE,
};

/** How often it is told what was left out. */
const LEFT_OUT_MS = 10_000;
/** Client ids, topics and requests may have 64 KiB. */
const MOST_CHARACTERS = 256;
/** What waits for a slow disk. */
const MOST_WAITING = 4 * 1024 * 1024;

type Write = (fields: object, text: string) => void;

/** Writes events down: each with its time, on one line, and not more than is good. */
export class AuditLog implements Audit {
  readonly #write: Write;
  readonly #end: () => Promise<void>;
  readonly #now: () => number;
  readonly #allowances = new Map<AuditKind, Allowance>();
  readonly #leftOut = new Map<AuditKind, number>();
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  /** `now`: monotonic, ms. */
  constructor(write: Write, now: () => number, end: () => Promise<void> = async () => {}) {
    this.#write = write;
    this.#now = now;
    this.#end = end;
  }

  /** Rejects with AUDIT_UNUSABLE. */
  static async open({ enabled, file }: AuditOptions, log: Logger, now: () => number): Promise<AuditLog> {
    if (!enabled) return new AuditLog(() => {}, now);
    if (file !== '') return AuditLog.#inFile(file, log, now);
    const channel = log.child({ channel: 'audit' });
    return new AuditLog((fields, text) => channel.info(fields, text), now);
  }

  static async #inFile(file: string, log: Logger, now: () => number): Promise<AuditLog> {
    await makePrivate(file).catch((cause: unknown) => {
      throw new MqttStreamError('AUDIT_UNUSABLE', [file, textOf(cause)], { cause });
    });
    const lines = pino.destination({ dest: file, sync: false, mode: 0o600, maxLength: MOST_WAITING });
    let failing = false;
    lines.on('error', (error: unknown) => {
      if (!failing) log.error({ err: error, file }, 'the audit file cannot be written; it is tried again');
      failing = true;
    });
    lines.on('drop', (line) =>
      log.info({ channel: 'audit', line }, 'not in the audit file, which is too slow'),
    );
    lines.on('drain', () => {
      failing = false;
    });
    const json = createLog({ level: 'info', format: 'json' }, (line) => lines.write(line));
    const end = () =>
      new Promise<void>((resolve) => {
        lines.once('close', resolve);
        // What a disk does not take now is lost.
        lines.once('error', () => lines.destroy());
        lines.end();
      });
    return new AuditLog((fields, text) => json.info(fields, text), now, end);
  }

  record(event: AuditEvent): void {
    // Some connections end later than the broker.
    if (this.#closed) return;
    const kind = event.audit;
    if (this.#allowed(kind)) {
      this.#write(shortened(event), TEXTS[kind]);
      return;
    }
    this.#leftOut.set(kind, (this.#leftOut.get(kind) ?? 0) + 1);
    this.#timer ??= setTimeout(() => this.#tellLeftOut(), LEFT_OUT_MS);
    this.#timer.unref();
  }

  /** Resolves when all of it is written. */
  async close(): Promise<void> {
    this.#tellLeftOut();
    this.#closed = true;
    await this.#end();
  }

  #allowed(kind: AuditKind): boolean {
    const now = this.#now();
    let allowance = this.#allowances.get(kind);
    if (allowance === undefined) {
      allowance = new Allowance(...ALLOWED[kind], now);
      this.#allowances.set(kind, allowance);
    }
    return allowance.take(now);
  }

  #tellLeftOut(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const [audit, leftOut] of this.#leftOut)
      this.#write({ audit, leftOut }, `${TEXTS[audit]}: too often to write down`);
    this.#leftOut.clear();
  }
}

/** Nobody else may read who was here. A pipe or a device stays as it is. */
async function makePrivate(file: string): Promise<void> {
  const handle = await open(file, 'a', 0o600);
  try {
    if ((await handle.stat()).isFile()) await handle.chmod(0o600);
  } finally {
    await handle.close();
  }
}

function shortened(event: AuditEvent): object {
  return Object.fromEntries(
    Object.entries(event).map(([key, value]) => [
      key,
      typeof value === 'string' && value.length > MOST_CHARACTERS
        ? `${value.slice(0, MOST_CHARACTERS)}…`
        : value,
    ]),
  );
}
