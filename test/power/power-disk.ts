import { basename, dirname } from 'node:path';
import type { Disk } from '../../src/recorder/disk.js';
import { Content } from './content.js';
import { Folder, type Node } from './folder.js';

export type Operation =
  | 'mkdir'
  | 'list'
  | 'open'
  | 'create'
  | 'read'
  | 'write'
  | 'sync'
  | 'rename'
  | 'remove'
  | 'rmdir';

/** Those between which power cuts differ. */
const STEPS: ReadonlySet<Operation> = new Set([
  'mkdir',
  'create',
  'write',
  'sync',
  'rename',
  'remove',
  'rmdir',
]);
/** How often what was not synced survives a power cut. */
const ODDS = [0, 0.1, 0.5, 0.9, 1];

const MOST_REMOVED = 8;
/** Of a size that some files reach and others do not; zeros behind it. */
const NOISE = new Uint8Array(700).fill(0x23);
const ZEROS = new Uint8Array(0);

/** Thrown by everything that is done after the power was cut: nobody is there to see it. */
export class PowerCut extends Error {}

/**
 * A file system in memory that loses what was not synced, in the strict reading of POSIX: `sync` of a file makes its bytes
 * and its length durable, and nothing of its name; names are durable when their folder is synced, and a file below a folder
 * whose own name is not durable is lost with it. A failed sync of a file leaves its bytes in doubt for ever; a failed
 * sync of a folder can be repeated, since a file system whose journal failed is read-only from then on.
 * Deterministic: whatever happens by chance asks `random`.
 */
export class PowerDisk implements Disk {
  /** Operations so far that changed something or made it durable. */
  steps = 0;
  /** The power is cut in the midst of this step. */
  stopAt = Number.POSITIVE_INFINITY;
  dead = false;
  /** What that step was. */
  stopped: { readonly operation: Operation; readonly path: string } | null = null;
  /** Of `used`, at most. */
  capacity = Number.POSITIVE_INFINITY;
  /** The code that an operation fails with (`EIO`), or null. */
  fault: (operation: Operation, path: string) => string | null = () => null;
  readonly #random: () => number;
  readonly #root: Folder;
  readonly #opened = new Map<number, { readonly path: string; readonly node: Node }>();
  /** What the files held that were removed last: where they were, others grow. */
  readonly #removed: Uint8Array[];
  #next = 3;

  constructor(random: () => number, root = new Folder(), removed: Uint8Array[] = []) {
    this.#random = random;
    this.#root = root;
    this.#removed = removed;
  }

  /** The disk as the next start finds it after a power cut. */
  cut(): PowerDisk {
    const random = this.#random;
    const before = () =>
      random() < 1 / 3 ? NOISE : (this.#removed[Math.floor(random() * 2 * MOST_REMOVED)] ?? ZEROS);
    const root = this.#root.afterCut({ random, odds: ODDS[Math.floor(random() * ODDS.length)]!, before });
    return new PowerDisk(random, root, this.#removed);
  }

  /** The disk as the next process finds it after this one has died: what is not synced may still be lost. */
  crash(): PowerDisk {
    this.dead = true;
    this.#root.forget(this.#random);
    return new PowerDisk(this.#random, this.#root, this.#removed);
  }

  /** Bytes of all files together. */
  get used(): number {
    let bytes = 0;
    for (const content of this.files().values()) bytes += content.length;
    return bytes;
  }

  get opened(): number {
    return this.#opened.size;
  }

  /** Every file there is now, by path. */
  files(): Map<string, Uint8Array> {
    const found = new Map<string, Uint8Array>();
    const walk = (folder: Folder, path: string): void => {
      for (const [name, node] of folder.entries) {
        if (node instanceof Folder) walk(node, `${path}/${name}`);
        else found.set(`${path}/${name}`, node.bytes);
      }
    };
    walk(this.#root, '');
    return found;
  }

  makeFolder(path: string): boolean {
    const node = this.#find(path);
    if (node instanceof Folder) return false;
    if (node !== null) throw systemError('EEXIST', 'mkdir', path);
    this.makeFolder(dirname(path));
    this.#do('mkdir', path, () => this.#folder(dirname(path)).change([[basename(path), new Folder()]]));
    return true;
  }

  /** Names and nodes in a folder. */
  entries(path: string): ReadonlyMap<string, Node> {
    this.#do('list', path);
    return this.#folder(path).entries;
  }

  list(path: string): string[] {
    return this.#find(path) === null ? [] : [...this.entries(path).keys()];
  }

  open(path: string, mode: 'r' | 'w' | 'a'): number {
    let node = this.#find(path);
    if (mode === 'r' || (mode === 'a' && node !== null)) {
      if (node === null) throw systemError('ENOENT', 'open', path);
      this.#do('open', path);
    } else {
      const folder = this.#folder(dirname(path));
      this.#do('create', path, () => {
        if (node instanceof Content) return node.empty();
        node = new Content();
        folder.change([[basename(path), node]]);
      });
    }
    this.#opened.set(this.#next, { path, node: node! });
    return this.#next++;
  }

  read(file: number, into: Uint8Array, position: number): number {
    const { path } = this.#file(file);
    this.#do('read', path);
    const piece = this.#content(file).bytes.subarray(position, position + into.length);
    into.set(piece);
    return piece.length;
  }

  length(file: number): number {
    return this.#content(file).length;
  }

  /** Takes a part only if there is not room for more, or if what follows fails. */
  write(file: number, bytes: Uint8Array): number {
    const content = this.#content(file);
    const { path } = this.#file(file);
    const room = this.capacity === Number.POSITIVE_INFINITY ? bytes.length : this.free();
    if (room <= 0 && bytes.length > 0) throw systemError('ENOSPC', 'write', path);
    const taken = bytes.subarray(0, room);
    const beginning = () =>
      content.append(taken.subarray(0, Math.floor(this.#random() * (taken.length + 1))));
    this.#do('write', path, () => content.append(taken), beginning);
    return taken.length;
  }

  sync(file: number): void {
    const { path, node } = this.#file(file);
    const fail = () => node instanceof Content && node.failSync();
    this.#do('sync', path, () => node.sync(), fail);
  }

  syncData(file: number): void {
    this.sync(file);
  }

  close(file: number): void {
    if (!this.#opened.delete(file)) throw systemError('EBADF', 'close', String(file));
  }

  rename(from: string, to: string): void {
    const folder = this.#folder(dirname(from));
    const node = this.#find(from);
    if (node === null) throw systemError('ENOENT', 'rename', from);
    // Nothing is known of what survives of one across folders, so nobody is to need it.
    if (dirname(to) !== dirname(from)) throw systemError('EXDEV', 'rename', to);
    this.#do('rename', to, () =>
      folder.change([
        [basename(from), null],
        [basename(to), node],
      ]),
    );
  }

  remove(path: string): void {
    if (this.#find(path) !== null) this.unlink(path);
  }

  free(): number {
    return this.capacity - this.used;
  }

  /** As `remove`, for a file that has to be there. */
  unlink(path: string): void {
    const node = this.#find(path);
    if (!(node instanceof Content)) throw systemError('ENOENT', 'unlink', path);
    this.#do('remove', path, () => {
      this.#folder(dirname(path)).change([[basename(path), null]]);
      if (this.#removed.unshift(node.bytes) > MOST_REMOVED) this.#removed.pop();
    });
  }

  /** Removes an empty folder. */
  removeFolder(path: string): void {
    if (this.#folder(path).entries.size > 0) throw systemError('ENOTEMPTY', 'rmdir', path);
    this.#do('rmdir', path, () => this.#folder(dirname(path)).change([[basename(path), null]]));
  }

  /** `partly`: what becomes of it when it fails. A power cut comes before it, behind it, or in its midst. */
  #do(operation: Operation, path: string, work: () => void = () => {}, partly: () => void = () => {}): void {
    if (this.dead) throw new PowerCut(operation);
    if (STEPS.has(operation) && ++this.steps === this.stopAt) {
      const moment = this.#random() * 3;
      if (moment < 1) work();
      else if (moment < 2 && operation === 'write') partly();
      this.dead = true;
      this.stopped = { operation, path };
      throw new PowerCut(operation);
    }
    const code = this.fault(operation, path);
    if (code !== null) {
      partly();
      throw systemError(code, operation, path);
    }
    work();
  }

  #find(path: string): Node | null {
    let node: Node = this.#root;
    for (const name of path.split('/')) {
      if (name === '' || name === '.') continue;
      const next: Node | undefined = node instanceof Folder ? node.entries.get(name) : undefined;
      if (next === undefined) return null;
      node = next;
    }
    return node;
  }

  #folder(path: string): Folder {
    const node = this.#find(path);
    if (node === null) throw systemError('ENOENT', 'open', path);
    if (!(node instanceof Folder)) throw systemError('ENOTDIR', 'open', path);
    return node;
  }

  #file(file: number) {
    const opened = this.#opened.get(file);
    if (opened === undefined) throw systemError('EBADF', 'use', String(file));
    return opened;
  }

  #content(file: number): Content {
    const { node, path } = this.#file(file);
    if (!(node instanceof Content)) throw systemError('EISDIR', 'use', path);
    return node;
  }
}

function systemError(code: string, operation: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${operation} '${path}'`), { code });
}
