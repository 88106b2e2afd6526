/** Documents name tests that there are; docs/mqtt-conformance.md every one of those for conformance. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { FINDING_KINDS } from '../src/doctor/finding.js';
import { GAP_REASONS } from '../src/exchange/gaps.js';

const TESTS = resolve('test');
const document = readFileSync(resolve('docs/mqtt-conformance.md'), 'utf8');
const named = namesIn(document);

function namesIn(text: string): string[] {
  return [...text.matchAll(/`([\w/-]+\.test\.ts)`/g)].map(([, name]) => name);
}

for (const [name, least] of [
  ['mqtt-conformance.md', 50],
  ['security.md', 20],
] as const) {
  test(`the tests that docs/${name} names exist`, () => {
    const tests = namesIn(readFileSync(resolve('docs', name), 'utf8'));
    assert.ok(tests.length > least);
    const files = new Set(readdirSync(TESTS, { recursive: true, encoding: 'utf8' }));
    assert.deepEqual(
      tests.filter((one) => !files.has(one)),
      [],
    );
  });
}

test('it names every test of conformance', () => {
  const folder = join('broker', 'conformance');
  const there = readdirSync(join(TESTS, folder)).filter((name) => name.endsWith('.test.ts'));
  assert.deepEqual(
    there.filter((name) => !named.includes(`broker/conformance/${name}`)),
    [],
  );
});

test('every row has a test, or says that there is none', () => {
  const rows = document
    .split('\n')
    .filter((line) => line.startsWith('| MQTT-') || line.startsWith('| section'));
  assert.ok(rows.length > 80);
  const bare = rows.filter((row) => !/\.test\.ts`|not yet|not used|not supported/.test(row));
  assert.deepEqual(bare, []);
});

/** The first cells of the tables in a document, where they are code. */
function rowsOf(name: string): Set<string> {
  const text = readFileSync(resolve('docs', name), 'utf8');
  return new Set([...text.matchAll(/^\| `([\w-]+)` \|/gm)].map(([, cell]) => cell!));
}

test('what to do about every kind of finding is said', () => {
  const rows = rowsOf('recovery.md');
  assert.deepEqual(
    FINDING_KINDS.filter((kind) => !rows.has(kind)),
    [],
  );
});

test('every reason of a gap is explained', () => {
  const rows = rowsOf('requests.md');
  assert.deepEqual(
    GAP_REASONS.filter((reason) => !rows.has(reason)),
    [],
  );
});
