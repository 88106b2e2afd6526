import { Content, type Cut } from './content.js';

export type Node = Content | Folder;

/** What one operation does to names; all of it or nothing survives a power cut, as with a file system that has a journal. */
type Change = readonly (readonly [name: string, node: Node | null])[];

/** Names in a folder: for those who look now, and after a power cut. */
export class Folder {
  readonly entries = new Map<string, Node>();
  readonly #safe = new Map<string, Node>();
  #changes: Change[] = [];

  constructor(entries: Iterable<readonly [string, Node]> = []) {
    for (const [name, node] of entries) {
      this.entries.set(name, node);
      this.#safe.set(name, node);
    }
  }

  change(change: Change): void {
    apply(this.entries, change);
    this.#changes.push(change);
  }

  sync(): void {
    for (const change of this.#changes) apply(this.#safe, change);
    this.#changes = [];
  }

  /** See `Content.forget`. */
  forget(random: () => number): void {
    for (const node of this.entries.values()) node.forget(random);
  }

  /**
   * The folder and all below after a power cut: each change of names may be there or not, whatever became of others, except
   * that those of one name are there in their order.
   */
  afterCut(cut: Cut): Folder {
    const { odds, random } = cut;
    const entries = new Map(this.#safe);
    const missing = new Set<string>();
    for (const change of this.#changes) {
      if (random() < odds && !change.some(([name]) => missing.has(name))) apply(entries, change);
      else for (const [name] of change) missing.add(name);
    }
    return new Folder(
      [...entries].map(([name, node]) => [
        name,
        node instanceof Folder ? node.afterCut(cut) : new Content(node.afterCut(cut)),
      ]),
    );
  }
}

function apply(entries: Map<string, Node>, change: Change): void {
  for (const [name, node] of change) {
    if (node === null) entries.delete(name);
    else entries.set(name, node);
  }
}
