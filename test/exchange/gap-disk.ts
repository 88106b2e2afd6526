import { dirname } from 'node:path';
import type { GapFiles } from '../../src/exchange/gap-log.js';
import { whole } from '../ring/samples.js';

/** A file: what a power cut leaves for sure, and what was written. */
interface Node {
  safe: string;
  text: string;
}

/** Small files in memory, on a disk that may fail and may lose its power. */
export class GapDisk implements GapFiles {
  readonly log: string[] = [];
  /** What it throws, the operation throws. */
  onOperation: (operation: string) => void = () => {};
  readonly #names = new Map<string, Node>();
  readonly #safeNames = new Map<string, Node>();

  async mkdir(path: string): Promise<string | undefined> {
    await this.#do('mkdir', path);
    return undefined;
  }

  async open(path: string, flags: string) {
    await this.#do(`open ${flags}`, path);
    if (flags === 'r')
      return { writeFile: async () => {}, sync: () => this.#syncFolder(path), close: async () => {} };
    const node: Node = (flags === 'a' ? this.#names.get(path) : undefined) ?? { safe: '', text: '' };
    this.#names.set(path, node);
    return {
      writeFile: async (text: string) => {
        const before = node.text;
        // Whoever looks meanwhile, or after a failure, finds a part.
        node.text += text.slice(0, text.length / 2);
        await this.#do('write', path);
        node.text = before + text;
      },
      sync: async () => {
        await this.#do('sync', path);
        node.safe = node.text;
      },
      close: () => this.#do('close', path),
    };
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#do('rename', from);
    this.#names.set(to, this.#names.get(from)!);
    this.#names.delete(from);
  }

  text(path: string): string {
    return this.#names.get(path)?.text ?? '';
  }

  /** What may be found after a power cut. */
  afterCut(path: string, random: () => number): string {
    const node = (random() < 0.5 ? this.#names : this.#safeNames).get(path);
    if (node === undefined) return '';
    const { safe, text } = node;
    return safe + text.slice(safe.length, whole(random, safe.length, text.length));
  }

  async #syncFolder(folder: string): Promise<void> {
    await this.#do('sync', folder);
    for (const [path, node] of this.#names) if (dirname(path) === folder) this.#safeNames.set(path, node);
  }

  async #do(operation: string, path: string): Promise<void> {
    this.log.push(`${operation} ${path}`);
    await Promise.resolve();
    this.onOperation(operation);
  }
}
