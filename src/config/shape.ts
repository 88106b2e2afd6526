/** What a schema looks like from outside: which keys it has, and what is below one of them. */
import { z } from 'zod';
import type { Path } from './path.js';

type Schema = z.core.$ZodType;

/** The schema of the value as it is written: without its default and what is done with it once parsed. */
function written(schema: Schema): Schema {
  if (schema instanceof z.ZodPipe) return written(schema.in);
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) return written(schema.unwrap());
  return schema;
}

/** The keys of a map, or none if the schema is not of a map. */
export function keysOf(schema: Schema): string[] {
  const inner = written(schema);
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
}

/** Whether the schema is of a list. */
export function isList(schema: Schema): boolean {
  return written(schema) instanceof z.ZodArray;
}

/** The schema one step down, or undefined if there is none. */
export function below(schema: Schema, part: string | number): Schema | undefined {
  const inner = written(schema);
  if (inner instanceof z.ZodArray) return typeof part === 'number' ? inner.element : undefined;
  if (inner instanceof z.ZodObject && Object.hasOwn(inner.shape, part)) return inner.shape[part];
  return undefined;
}

/** The schema at the end of `path`, or undefined if there is none. */
export function schemaAt(schema: Schema, path: Path): Schema | undefined {
  return path.reduce<Schema | undefined>((inner, part) => inner && below(inner, part), schema);
}

/** The known word that `word` was probably meant to be, or undefined. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const letters = word.toLowerCase();
  const allowed = letters.length < 4 ? 1 : 2; // two swapped letters are two edits
  let best: { word: string; distance: number } | undefined;
  for (const candidate of known) {
    const distance = editDistance(letters.slice(0, 40), candidate.toLowerCase());
    if (distance <= allowed && (!best || distance < best.distance)) best = { word: candidate, distance };
  }
  return best?.word;
}

/** Letters to insert, remove or replace to turn `a` into `b` (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(replaced, above[j]! + 1, row[j - 1]! + 1);
    }
  }
  return row[b.length]!;
}
