import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readDocument } from '../../src/config/document.js';

const linesOf = (text: string) =>
  readDocument(text, 'c.yaml').problems.map(({ path, place, text }) =>
    [place, path.join('.'), text].join('|'),
  );

test('values remember the line of their key', () => {
  const { tree, lines, problems } = readDocument(
    '# c\na:\n  - b: 1\n    c: x\n\n  - 7\nd: {e: [1,\n 2]}\n',
    'c',
  );
  assert.deepEqual(problems, []);
  assert.equal(JSON.stringify(tree), '{"a":[{"b":1,"c":"x"},7],"d":{"e":[1,2]}}');
  const expected = {
    a: 2,
    'a[0]': 3,
    'a[0].b': 3,
    'a[0].c': 4,
    'a[1]': 6,
    d: 7,
    'd.e': 7,
    'd.e[0]': 7,
    'd.e[1]': 8,
  };
  assert.deepEqual(Object.fromEntries(lines), { '': 1, ...expected });
});

test('line ends of Windows and a byte order mark', () => {
  const { lines, tree } = readDocument('\ufeffa: 1\r\nb: 2\r\n', 'c');
  assert.equal(lines.get('b'), 2);
  assert.equal(JSON.stringify(tree), '{"a":1,"b":2}');
});

test('an empty text is an empty map', () => {
  for (const text of ['', '\n', '# only a comment\n', '---\n']) {
    const { tree, problems } = readDocument(text, 'c');
    assert.equal(JSON.stringify(tree ?? 'none'), '{}', JSON.stringify(text));
    assert.deepEqual(problems, []);
  }
});

test('bad YAML names the line', () => {
  assert.match(linesOf('a: 1\n\tb: 2\n')[0]!, /^c\.yaml:2\|\|not valid YAML: /);
  assert.match(linesOf('a: [1\nb: 2\n')[0]!, /^c\.yaml:\d\|\|not valid YAML: /);
  assert.match(
    linesOf('a: 1\n---\nb: 2\n')[0]!,
    /^c\.yaml:2\|\|not valid YAML: Source contains multiple documents$/,
  );
  assert.match(linesOf('a: !!js/function x\n')[0]!, /^c\.yaml:1\|\|not valid YAML: Unresolved tag/);
  assert.equal(readDocument('a: [1\n', 'c').tree, undefined);
});

test('keys that are set twice, in a list too, and keys that are no text', () => {
  assert.deepEqual(linesOf('a: 1\nb:\n  - c: 1\n    d: 2\n    c: 3\na: 2\n'), [
    'c.yaml:5|b.0.c|is set twice, first in line 3; keep one of them',
    'c.yaml:6|a|is set twice, first in line 1; keep one of them',
  ]);
  assert.deepEqual(linesOf('? [x, y]\n: 1\n'), ['c.yaml:1||a key must be a plain text']);
});

test('keys named like a prototype are plain keys', () => {
  const { tree } = readDocument('__proto__: {x: 1}\nconstructor: 2\n', 'c');
  assert.deepEqual(Object.keys(tree as object), ['__proto__', 'constructor']);
  assert.equal(Object.getPrototypeOf(tree), null);
  assert.equal((Object.prototype as Record<string, unknown>).x, undefined);
});

test('anchors work, and merge keys are keys', () => {
  const { tree, problems } = readDocument('a: &ring {b: 1}\nc: *ring\nd: [*ring]\n<<: *ring\n', 'c');
  assert.deepEqual(problems, []);
  assert.equal(JSON.stringify(tree), '{"a":{"b":1},"c":{"b":1},"d":[{"b":1}],"<<":{"b":1}}');
  assert.deepEqual(linesOf('a: 1\nb: *gone\n'), ['c.yaml:2|b|there is no anchor &gone above']);
});

test('bombs of aliases and circles end in one problem', () => {
  let bomb = 'a0: &a0 [x, x]\n';
  for (let level = 1; level < 30; level++) {
    bomb += `a${level}: &a${level} [*a${level - 1}, *a${level - 1}]\n`;
  }
  assert.match(linesOf(bomb).join(), /^c\.yaml:\d+\|[^|]*\|more than 100 aliases$/);
  assert.match(linesOf('a: &a [*a, *a]\n').join(), /^c\.yaml:1\|[^|]*\|more than 100 aliases$/);
});

test('texts that are too deep or too long are not parsed at all', () => {
  const blocks = Array.from({ length: 500 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join('');
  const flows = [`a: ${'['.repeat(50_000)}${']'.repeat(50_000)}`, '['.repeat(200_000), '{a: '.repeat(50_000)];
  for (const bomb of [...flows, '- '.repeat(100_000), '? '.repeat(100_000), blocks]) {
    assert.deepEqual(linesOf(bomb), ['c.yaml||has more than 50 maps and lists in each other']);
  }
  assert.deepEqual(linesOf(`a: ${'['.repeat(40)}${']'.repeat(40)}`), []);
  assert.deepEqual(linesOf(`a: ${'x'.repeat(262_144)}`), [
    'c.yaml||has 262147 characters; at most 262144 are read',
  ]);
});
