/** `MQTT_STREAM_HTTP__PORT=8090`: variables as values of the configuration. */
import { z } from 'zod';
import type { Assignment } from './layer.js';
import { noSuchKey, type Problem } from './problem.js';
import { below, isList, keysOf } from './shape.js';

const PREFIX = 'MQTT_STREAM_';
const SEPARATOR = '__';
const WRONG_KIND: ReadonlySet<string | undefined> = new Set(['invalid_type', 'invalid_union']);

/**
 * The values that the variables set, list items in the order of their indexes, and the variables that
 * name no key. Keys are matched without case and underscores: `DATA_DIR` is `dataDir`.
 */
export function readEnvironment(
  schema: z.core.$ZodType,
  env: NodeJS.ProcessEnv,
): { assignments: Assignment[]; problems: Problem[] } {
  const assignments: Assignment[] = [];
  const problems: Problem[] = [];
  const names = Object.keys(env).filter((name) => name.startsWith(PREFIX));
  for (const name of names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))) {
    const target = targetOf(schema, name);
    if ('problem' in target) problems.push({ path: [], place: name, text: target.problem });
    else if (env[name] !== undefined) {
      assignments.push({ path: target.path, value: typed(target.leaf, env[name]), origin: name });
    }
  }
  return { assignments, problems };
}

type Target = { path: (string | number)[]; leaf: z.core.$ZodType } | { problem: string };

function targetOf(schema: z.core.$ZodType, name: string): Target {
  const path: (string | number)[] = [];
  let leaf = schema;
  let before = PREFIX;
  for (const word of name.slice(PREFIX.length).split(SEPARATOR)) {
    let part: string | number | undefined;
    if (isList(leaf)) {
      // No list is longer than 999, and a mistyped index must not make millions of entries.
      if (!/^\d{1,3}$/.test(word))
        return { problem: `expected an index such as ${before}0, got ${before}${word}` };
      part = Number(word);
    } else {
      const known = keysOf(leaf);
      if (known.length === 0)
        return { problem: `${before.slice(0, -SEPARATOR.length)} has no keys below it` };
      part = known.find((key) => key.toLowerCase() === word.replaceAll('_', '').toLowerCase());
      if (part === undefined) return { problem: noSuchKey(word, known.map(upperSnake), before) };
    }
    path.push(part);
    leaf = below(leaf, part)!;
    before += word + SEPARATOR;
  }
  return { path, leaf };
}

function upperSnake(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/** The text as what the schema takes of number, boolean and text. */
function typed(leaf: z.core.$ZodType, text: string): unknown {
  const candidates: unknown[] = [text];
  if (/^(true|false)$/i.test(text)) candidates.unshift(text.toLowerCase() === 'true');
  if (/^-?\d+(\.\d+)?$/.test(text)) candidates.unshift(Number(text));
  const results = candidates.map((candidate) => ({ candidate, error: z.safeParse(leaf, candidate).error }));
  // If none will do, the one of the right kind makes the better error: "at most 65535", not "a number".
  const best =
    results.find(({ error }) => !error) ??
    results.find(({ error }) => !error?.issues.some(({ code }) => WRONG_KIND.has(code)));
  return best ? best.candidate : text;
}
