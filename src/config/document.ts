/** A YAML text as plain values that remember their lines. */
import { isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, type Node, Parser, parseDocument } from 'yaml';
import { dotted, type Path } from './path.js';
import type { Problem } from './problem.js';

/** Far above any configuration. */
const MAX_CHARACTERS = 262_144;
/** Maps and lists in each other. The composer recurses: a few thousand would end the process, uncatchably. */
const MAX_DEPTH = 50;
/** Each is followed anew wherever it stands, so that a few nested ones could make billions of values. */
const MAX_ALIASES = 100;

export interface ConfigDocument {
  /** Maps have no prototype, so that no key is special. An empty text is an empty map; undefined if not YAML. */
  readonly tree: unknown;
  /** Line (from 1) of each value by its dotted path: the line of the key in a map. */
  readonly lines: ReadonlyMap<string, number>;
  readonly problems: readonly Problem[];
}

/** `name` is how problems call the text, as in `config.yaml:12`. Throws nothing. */
export function readDocument(text: string, name: string): ConfigDocument {
  const lines = new Map<string, number>([['', 1]]);
  const problems: Problem[] = [];
  const empty = () => Object.create(null) as Record<string, unknown>;
  const refused =
    text.length > MAX_CHARACTERS
      ? `has ${text.length} characters; at most ${MAX_CHARACTERS} are read`
      : isTooDeep(text) && `has more than ${MAX_DEPTH} maps and lists in each other`;
  if (refused) return { tree: undefined, lines, problems: [{ path: [], place: name, text: refused }] };

  const counter = new LineCounter();
  // Duplicate keys are found below, where their path is known.
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: false });
  const lineAt = (offset: number) => counter.linePos(Math.min(offset, text.length)).line || 1;
  const report = (path: Path, line: number, what: string) =>
    problems.push({ path, place: `${name}:${line}`, text: what });
  for (const fault of [...document.errors, ...document.warnings]) {
    report(
      [],
      lineAt(fault.pos[0]),
      `not valid YAML: ${fault.message.replace(/; please use .*/, '').replaceAll(/\s+/g, ' ')}`,
    );
  }
  if (problems.length > 0) return { tree: undefined, lines, problems };

  let aliases = 0;
  const plain = (node: Node | null, path: Path): unknown => {
    if (isScalar(node)) return node.value;
    if (isMap<unknown, Node | null>(node)) {
      const map = empty();
      for (const { key, value } of node.items) {
        const line = lineAt((key as Node | null)?.range?.[0] ?? node.range![0]);
        if (!isScalar(key)) {
          report(path, line, 'a key must be a plain text');
          continue;
        }
        const name = String(key.value);
        const at = [...path, name];
        const first = lines.get(dotted(at));
        if (name in map) {
          report(at, line, `is set twice, first in line ${first}; keep one of them`);
          continue;
        }
        lines.set(dotted(at), line);
        map[name] = plain(value, at);
      }
      return map;
    }
    if (isSeq<Node | null>(node)) {
      return node.items.map((item, index) => {
        const at = [...path, index];
        lines.set(dotted(at), lineAt(item?.range?.[0] ?? node.range![0]));
        return plain(item, at);
      });
    }
    if (isAlias(node)) {
      const line = lineAt(node.range![0]);
      const target = node.resolve(document);
      if (!target) report(path, line, `there is no anchor &${node.source} above`);
      else if (++aliases === MAX_ALIASES + 1) report(path, line, `more than ${MAX_ALIASES} aliases`);
      return target && aliases <= MAX_ALIASES ? plain(target, path) : null;
    }
    return null;
  };
  const tree = plain(document.contents, []) ?? empty();
  return { tree, lines, problems };
}

/** By the parser below the composer, which keeps a stack of its own. */
function isTooDeep(text: string): boolean {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    // A generator: it advances only while it is iterated.
    for (const _ of parser.next(lexeme));
    if (parser.stack.length > MAX_DEPTH) return true;
  }
  return false;
}
