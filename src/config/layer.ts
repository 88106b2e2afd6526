/** What is laid over a file: values from the environment and the command line, each with its origin. */
import type { ConfigDocument } from './document.js';
import { dotted, type Path } from './path.js';

export interface Assignment {
  readonly path: Path;
  readonly value: unknown;
  /** The name of the variable, or `command line`. */
  readonly origin: string;
}

/** The values of a partial object: maps are merged key by key, lists and all else replace what was there. */
export function assignmentsOf(overrides: unknown, origin: string, path: Path = []): Assignment[] {
  if (overrides === undefined) return [];
  if (!isMap(overrides)) return [{ path, value: overrides, origin }];
  return Object.entries(overrides).flatMap(([key, value]) => assignmentsOf(value, origin, [...path, key]));
}

/** A document with layers over it. Knows for every value where it comes from. */
export class LayeredDocument {
  readonly #name: string;
  readonly #lines: ReadonlyMap<string, number>;
  readonly #origins = new Map<string, string>();
  #tree: unknown;

  constructor(document: Pick<ConfigDocument, 'tree' | 'lines'>, name: string) {
    this.#tree = document.tree;
    this.#lines = document.lines;
    this.#name = name;
  }

  get tree(): unknown {
    return this.#tree;
  }

  assign({ path, value, origin }: Assignment): void {
    const below = dotted(path);
    for (const at of this.#origins.keys()) {
      if (at.startsWith(`${below}.`) || at.startsWith(`${below}[`)) this.#origins.delete(at);
    }
    // Maps and lists that this assignment creates are its own as well.
    for (let length = 1; length <= path.length; length++) {
      const part = path.slice(0, length);
      if (length === path.length || valueAt(this.#tree, part) === undefined) {
        this.#origins.set(dotted(part), origin);
      }
    }
    this.#tree = placed(this.#tree, path, value);
  }

  /** `config.yaml:12`, the name of a variable or `command line`; for a missing value that of what lacks it. */
  placeOf(path: Path): string {
    let place = this.#name;
    let inFile = true;
    for (let length = 0; length <= path.length; length++) {
      const part = dotted(path.slice(0, length));
      const origin = this.#origins.get(part);
      const line = this.#lines.get(part);
      if (origin !== undefined) {
        place = origin;
        inFile = false; // what the file has below was replaced
      } else if (inFile && line !== undefined) {
        place = `${this.#name}:${line}`;
      }
    }
    return place;
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function valueAt(tree: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, part) => {
    if (Array.isArray(value)) return value[part as number];
    return isMap(value) && Object.hasOwn(value, part) ? value[part] : undefined;
  }, tree);
}

/** A copy of `tree` with `value` at `path`. Copied, because YAML aliases share what they point at. */
function placed(tree: unknown, path: Path, value: unknown): unknown {
  const [part, ...rest] = path;
  if (part === undefined) return value;
  if (typeof part === 'number') {
    const list: unknown = tree ?? [];
    if (!Array.isArray(list)) return tree; // the schema names the wrong type
    const copy: unknown[] = [...list];
    copy[part] = placed(copy[part], rest, value);
    return copy;
  }
  const map = tree ?? {};
  if (!isMap(map)) return tree;
  const copy: Record<string, unknown> = Object.assign(Object.create(null), map);
  copy[part] = placed(copy[part], rest, value);
  return copy;
}
