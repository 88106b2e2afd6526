import { basename, dirname } from 'node:path';
import type { Disk } from '../../src/recorder/disk.js';

interface Opened {
  readonly path: string;
  readonly mode: 'r' | 'w';
}

/** A disk in memory that lists what was done to it, and fails when it is told to. */
export class MemoryDisk implements Disk {
  readonly files = new Map<string, Uint8Array>();
  readonly folders = new Set<string>();
  /** Bytes left. */
  room = Number.POSITIVE_INFINITY;
  /** `operation path`, in order. */
  readonly log: string[] = [];
  /** Called before every operation; what it throws, the operation throws. */
  onOperation: (operation: string, path: string) => void = () => {};
  readonly #opened = new Map<number, Opened>();
  #next = 3;

  makeFolder(path: string): boolean {
    this.#note('mkdir', path);
    const made = !this.folders.has(path);
    for (let folder = path; folder !== dirname(folder); folder = dirname(folder)) this.folders.add(folder);
    return made;
  }

  list(path: string): string[] {
    this.#note('list', path);
    const all = [...this.files.keys(), ...this.folders];
    return all.filter((one) => one !== path && dirname(one) === path).map((one) => basename(one));
  }

  open(path: string, mode: 'r' | 'w'): number {
    this.#note(mode === 'w' ? 'create' : 'open', path);
    if (mode === 'w') {
      if (!this.folders.has(dirname(path))) throw new Error(`ENOENT: ${path}`);
      this.files.set(path, new Uint8Array(0));
    } else if (!this.files.has(path) && !this.folders.has(path)) {
      throw new Error(`ENOENT: ${path}`);
    }
    this.#opened.set(this.#next, { path, mode });
    return this.#next++;
  }

  read(file: number, into: Uint8Array, position: number): number {
    const { path } = this.#file(file);
    this.#note('read', path);
    const piece = this.files.get(path)!.subarray(position, position + into.length);
    into.set(piece);
    return piece.length;
  }

  write(file: number, bytes: Uint8Array): number {
    const { path } = this.#file(file);
    this.#note('write', path);
    // A disk may take less than it was given.
    const taken = bytes.subarray(0, 1000);
    this.files.set(path, Buffer.concat([this.files.get(path)!, taken]));
    return taken.length;
  }

  sync(file: number): void {
    this.#note('sync', this.#file(file).path);
  }

  syncData(file: number): void {
    this.#note('syncData', this.#file(file).path);
  }

  close(file: number): void {
    this.#note('close', this.#file(file).path);
    this.#opened.delete(file);
  }

  rename(from: string, to: string): void {
    this.#note('rename', to);
    this.files.set(to, this.files.get(from)!);
    this.files.delete(from);
  }

  remove(path: string): void {
    this.#note('remove', path);
    this.files.delete(path);
  }

  free(_path: string): number {
    return this.room;
  }

  get opened(): number {
    return this.#opened.size;
  }

  #file(file: number): Opened {
    const opened = this.#opened.get(file);
    if (opened === undefined) throw new Error('EBADF');
    return opened;
  }

  #note(operation: string, path: string): void {
    this.onOperation(operation, path);
    this.log.push(`${operation} ${path}`);
  }
}
