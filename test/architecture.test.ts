/** The import directions that docs/internals.md promises. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { test } from 'node:test';

const SOURCES = resolve('src');

/** By path below `src`: what it imports of us, types included. */
function importsOf(): Map<string, string[]> {
  const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  return new Map(
    files.map((name) => {
      const text = readFileSync(join(SOURCES, name), 'utf8');
      const paths = [...text.matchAll(/(?:from|import)\s+'(\.[^']+)\.js'/g)].map(([, path]) =>
        relative(SOURCES, resolve(SOURCES, dirname(name), `${path}.ts`)),
      );
      return [name, paths] as const;
    }),
  );
}

const IMPORTS = importsOf();

/** The folder of a file; a file directly in `src` is its own. */
function folderOf(name: string): string {
  return name.split(sep)[0]!;
}

/** A way from a file back to itself, or null. */
function cycleFrom(start: string): string[] | null {
  const seen = new Set<string>();
  const search = (name: string, way: string[]): string[] | null => {
    for (const next of IMPORTS.get(name) ?? []) {
      if (next === start) return [...way, next];
      if (seen.has(next)) continue;
      seen.add(next);
      const found = search(next, [...way, next]);
      if (found !== null) return found;
    }
    return null;
  };
  return search(start, [start]);
}

test('no two modules import each other, on whatever way', () => {
  assert.ok(IMPORTS.size > 100);
  const cycles = [...IMPORTS.keys()].map(cycleFrom).filter((cycle) => cycle !== null);
  assert.deepEqual(
    cycles.map((cycle) => cycle.join(' > ')),
    [],
  );
});

const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'errors.ts': [],
  'topics.ts': [],
  'addresses.ts': [],
  'audit.ts': [],
  'both.ts': [],
  clock: ['errors.ts', 'whole-file.ts'],
  ring: ['errors.ts'],
  seal: ['errors.ts'],
  catalog: ['seal', 'errors.ts'],
  recorder: ['ring', 'catalog', 'seal', 'thread-priority.ts', 'errors.ts'],
  exchange: ['ring', 'clock', 'recorder', 'topics.ts', 'both.ts', 'whole-file.ts', 'errors.ts'],
  query: [
    'ring',
    'catalog',
    'clock',
    'exchange',
    'seal',
    'thread-priority.ts',
    'topics.ts',
    'audit.ts',
    'errors.ts',
  ],
  merge: ['ring', 'catalog', 'recorder', 'query', 'seal', 'thread-priority.ts', 'errors.ts'],
  transfer: ['seal', 'topics.ts', 'errors.ts'],
  bridge: [
    'ring',
    'catalog',
    'recorder',
    'exchange',
    'query',
    'transfer',
    'topics.ts',
    'whole-file.ts',
    'errors.ts',
  ],
  broker: ['topics.ts', 'addresses.ts', 'audit.ts', 'both.ts', 'errors.ts'],
  config: ['topics.ts', 'addresses.ts', 'errors.ts'],
  streams: [
    'ring',
    'catalog',
    'clock',
    'recorder',
    'exchange',
    'merge',
    'seal',
    'bridge',
    'config',
    'thread-priority.ts',
    'log.ts',
    'version.ts',
    'errors.ts',
  ],
  http: ['clock', 'exchange', 'streams', 'bridge', 'broker', 'log.ts', 'errors.ts'],
  doctor: ['catalog', 'clock', 'recorder', 'exchange', 'query', 'seal', 'broker', 'data-dir.ts', 'errors.ts'],
};

for (const [folder, allowed] of Object.entries(MAY_IMPORT)) {
  test(`${folder} imports ${allowed.join(', ') || 'nothing of ours'}`, () => {
    const foreign = [...IMPORTS]
      .filter(([name]) => folderOf(name) === folder)
      .flatMap(([name, paths]) => paths.map((path) => [name, folderOf(path)] as const))
      .filter(([, other]) => other !== folder && !allowed.includes(other));
    assert.deepEqual(foreign, []);
  });
}

test('a file directly in src imports no folder, but for what people embed', () => {
  const importers = [...IMPORTS]
    .filter(([name, paths]) => folderOf(name) === name && paths.some((path) => folderOf(path) !== path))
    .map(([name]) => name);
  assert.deepEqual(importers, ['index.ts']);
});

test('inside the broker, delivery knows neither reading nor handlers nor connections, reading no handlers', () => {
  const below = (folder: string) =>
    [...IMPORTS].filter(([name]) => name.startsWith(join('broker', folder) + sep));
  const imports = (folder: string, forbidden: readonly string[]) =>
    below(folder).filter(([, paths]) =>
      paths.some((path) => forbidden.some((one) => path.startsWith(join('broker', one)))),
    );
  assert.ok(below('delivery').length > 10 && below('reading').length > 3);
  assert.deepEqual(imports('delivery', ['reading', 'handlers', 'connection', 'pipeline']), []);
  assert.deepEqual(imports('reading', ['handlers', 'connection', 'pipeline']), []);
});

test('nothing imports the command line', () => {
  const importers = [...IMPORTS].filter(
    ([name, paths]) => folderOf(name) !== 'cli' && paths.some((path) => folderOf(path) === 'cli'),
  );
  assert.deepEqual(importers, []);
});
