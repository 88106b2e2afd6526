import assert from 'node:assert/strict';
import { test } from 'node:test';
import { captureProblem, excludeProblem } from '../../src/config/filter.js';

test('filters of the specification', () => {
  const good = ['#', '+', '/', '//', '/a', 'a/', '+/+', 'a/+/b/#', '/+', 'a/#', 'a b', '$other/#', 'ünï/🚗'];
  const bad = ['', '#/a', 'a#', 'a/b#', 'a/#/b', '##', 'a+', '+a/b', 'a/++', 'a\0b', '\ud800', '$share/g/a'];
  for (const filter of good) assert.equal(excludeProblem(filter), undefined, filter);
  for (const filter of bad) assert.notEqual(excludeProblem(filter), undefined, JSON.stringify(filter));
});

test('a filter is at most 65535 bytes of UTF-8', () => {
  assert.equal(excludeProblem('a'.repeat(65_535)), undefined);
  assert.match(excludeProblem('a'.repeat(65_536))!, /65,?535 bytes/);
  assert.match(excludeProblem('ü'.repeat(32_768))!, /65,?535 bytes/);
});

test("the broker's own traffic cannot be captured", () => {
  for (const own of ['$STREAM', '$SYS', 'MQfile', 'ParquetFile']) {
    for (const filter of [own, `${own}/#`, `${own}/a/+`]) {
      assert.match(captureProblem(filter)!, /never captured/, filter);
      assert.equal(excludeProblem(filter), undefined, filter);
    }
  }
  // Wildcards and longer names are not under those levels.
  for (const filter of ['#', '+/#', 'MQfiles/#', '$SYSTEM/a', 'a/$SYS']) {
    assert.equal(captureProblem(filter), undefined, filter);
  }
});

test('random filters: the same verdict as a regular expression of the grammar', () => {
  const grammar = /^(?:(?:\+|[^+#/]*)\/)*(?:\+|#|[^+#/]*)$/;
  let seed = 7;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 16) % below;
  };
  let valid = 0;
  for (let round = 0; round < 5000; round++) {
    const filter = Array.from({ length: 1 + random(6) }, () => 'a/+#'[random(4)]).join('');
    const expected = grammar.test(filter);
    assert.equal(excludeProblem(filter) === undefined, expected, filter);
    if (expected) valid++;
  }
  assert.ok(valid > 500 && valid < 4500, `${valid} valid`);
});
