/** docs/mqtt-conformance.md names tests that there are, and every one of those for conformance. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

const TESTS = resolve('test');
const document = readFileSync(resolve('docs/mqtt-conformance.md'), 'utf8');
const named = [...document.matchAll(/`([\w/-]+\.test\.ts)`/g)].map(([, name]) => name);

test('the tests that it names exist', () => {
  assert.ok(named.length > 50);
  const files = new Set(readdirSync(TESTS, { recursive: true, encoding: 'utf8' }));
  assert.deepEqual(
    named.filter((name) => !files.has(name)),
    [],
  );
});

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
