const SECTOR = 512;
const NOTHING: Uint8Array = new Uint8Array(0);

/** Bytes that were written and not synced; null: what the file held before was thrown away. */
interface Change {
  readonly at: number;
  readonly bytes: Uint8Array | null;
  /** A sync failed: a later one that succeeds says nothing of these, as on Linux. */
  doubtful: boolean;
}

/** How the power is cut. */
export interface Cut {
  readonly random: () => number;
  /** Of a change that was not synced to be there all the same. */
  readonly odds: number;
  /** What was on the disk where a file grows now, from the file's beginning on; zeros behind it. */
  before(): Uint8Array;
}

/** What a file holds: for those who read it now, and after a power cut. */
export class Content {
  #live: Uint8Array;
  #length: number;
  /** On the disk whatever happens; never changed in place. */
  #safe: Uint8Array;
  #changes: Change[] = [];

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#live = bytes;
    this.#length = bytes.length;
    this.#safe = bytes;
  }

  get length(): number {
    return this.#length;
  }

  /** What is read now; the same object as long as nothing is written. */
  get bytes(): Uint8Array {
    return this.#live.length === this.#length ? this.#live : this.#live.subarray(0, this.#length);
  }

  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const at = this.#length;
    const end = at + bytes.length;
    if (end > this.#live.length || this.#live === this.#safe) {
      const larger = new Uint8Array(Math.max(end, at * 2));
      larger.set(this.bytes);
      this.#live = larger;
    }
    this.#live.set(bytes, at);
    this.#length = end;
    this.#changes.push({ at, bytes: bytes.slice(), doubtful: false });
  }

  empty(): void {
    if (this.#length === 0) return;
    this.#length = 0;
    this.#live = new Uint8Array(0);
    this.#changes.push({ at: 0, bytes: null, doubtful: false });
  }

  /** Bytes and length are on the disk, except for what an earlier sync failed with: there are zeros. */
  sync(): void {
    if (this.#changes.length === 0) return;
    // What was thrown away and written anew is not in doubt any more.
    const anew = this.#changes.findLastIndex(({ bytes, doubtful }) => bytes === null && !doubtful);
    const doubtful = this.#changes.filter((change, i) => change.doubtful && i > anew);
    if (doubtful.length === 0) {
      this.#live = this.bytes.slice();
      this.#safe = this.#live;
    } else {
      const survivors = this.#changes.filter((change) => !doubtful.includes(change));
      this.#safe = lengthened(applied(this.#safe, survivors), this.#length);
    }
    this.#changes = doubtful;
  }

  /** The system has forgotten what was to be written: it may be there, and nobody will try again. */
  failSync(): void {
    for (const change of this.#changes) change.doubtful = true;
  }

  /** What is in doubt has left the system's cache: it is on the disk, or it is seen no more. */
  forget(random: () => number): void {
    if (!this.#changes.some(({ doubtful }) => doubtful)) return;
    const left = this.#changes.filter(({ doubtful }) => !doubtful || random() < 0.5);
    this.#live = lengthened(applied(this.#safe, left), this.#length);
    this.#safe = applied(
      this.#safe,
      left.filter(({ doubtful }) => doubtful),
    );
    this.#changes = left.filter(({ doubtful }) => !doubtful);
  }

  /**
   * After a power cut: each change is there, missing, or there in part; a later one may have survived an earlier one, and the
   * length may be that of bytes that have not: there is what was on the disk before.
   */
  afterCut({ random, odds, before }: Cut): Uint8Array {
    if (this.#changes.length === 0) return this.#safe;
    const survivors = this.#changes.flatMap((change) => {
      if (random() < odds) return [change];
      return change.bytes === null || random() < 0.5 ? [] : torn(change.at, change.bytes, random);
    });
    const filling = before();
    const bytes = applied(this.#safe, survivors, filling);
    const more = this.#length - bytes.length;
    if (more <= 0 || random() < 0.5) return bytes;
    return lengthened(bytes, bytes.length + Math.ceil(random() * more), filling);
  }
}

type Part = Pick<Change, 'at' | 'bytes'>;

/** A beginning of it, cut at a byte or a sector, or some of its sectors. */
function torn(at: number, bytes: Uint8Array, random: () => number): Part[] {
  const end = at + bytes.length;
  const way = random();
  if (way < 1 / 3) return [{ at, bytes: bytes.subarray(0, Math.floor(random() * bytes.length)) }];
  const parts: Part[] = [];
  for (let from = at; from < end; ) {
    const to = Math.min(end, from - (from % SECTOR) + SECTOR);
    if (random() < 0.5) parts.push({ at: from, bytes: bytes.subarray(from - at, to - at) });
    else if (way < 2 / 3) break;
    from = to;
  }
  return parts;
}

function applied(safe: Uint8Array, parts: readonly Part[], filling = NOTHING): Uint8Array {
  let bytes: Uint8Array = safe.slice();
  for (const { at, bytes: part } of parts) {
    if (part === null) {
      bytes = new Uint8Array(0);
    } else if (part.length > 0) {
      bytes = lengthened(bytes, at + part.length, filling);
      bytes.set(part, at);
    }
  }
  return bytes;
}

function lengthened(bytes: Uint8Array, length: number, filling = NOTHING): Uint8Array {
  if (length <= bytes.length) return bytes;
  const longer = new Uint8Array(length);
  longer.set(filling.subarray(0, length));
  longer.set(bytes);
  return longer;
}
