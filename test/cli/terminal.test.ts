import assert from 'node:assert/strict';
import { test } from 'node:test';
import { columns } from '../../src/cli/columns.js';
import { bytesText, countText, ofThem } from '../../src/cli/quantity-text.js';
import { Terminal } from '../../src/cli/terminal.js';
import { Collector } from './program.js';

function terminal(isTTY: boolean) {
  const stdout = new Collector();
  const stderr = Object.assign(new Collector(), { isTTY });
  const clock = { now: 1000 };
  return { stdout, stderr, clock, terminal: new Terminal(stdout, stderr, () => clock.now) };
}

test('progress is for a person who watches only', () => {
  const { terminal: quiet, stderr } = terminal(false);
  quiet.progress(() => '1');
  quiet.step('2');
  quiet.err('3');
  assert.equal(stderr.text, '3\n');
});

test('progress is one line, drawn at most ten times a second and taken away before others', () => {
  const { terminal: watched, stdout, stderr, clock } = terminal(true);
  watched.progress(() => '1');
  watched.progress(() => assert.fail('not yet'));
  clock.now += 100;
  watched.progress(() => '2');
  watched.out('line');
  watched.out('line');
  assert.equal(stderr.text, '\r\x1b[K1\r\x1b[K2\r\x1b[K');
  assert.equal(stdout.text, 'line\nline\n');
});

test('a reader that goes away is told once it is gone', () => {
  const { terminal: piped, stdout } = terminal(false);
  let gone = 0;
  piped.onReaderGone = () => gone++;
  stdout.emit('error', new Error('EPIPE'));
  assert.equal(gone, 1);
});

test('quantities and columns are for people', () => {
  assert.deepEqual([0, 999, 1000, 1_234_567, 5e15].map(bytesText), [
    '0 B',
    '999 B',
    '1.0 KB',
    '1.2 MB',
    '5000.0 TB',
  ]);
  assert.equal(countText(1_234_567), '1,234,567');
  assert.deepEqual(
    [ofThem(1, 'file'), ofThem(0, 'file'), ofThem(2000, 'file')],
    ['1 file', '0 files', '2,000 files'],
  );
  assert.deepEqual(
    columns([
      ['a', 'bb', 'c'],
      ['aaa', 'b', ''],
    ]),
    ['a    bb  c', 'aaa  b'],
  );
  assert.deepEqual(
    columns(
      [
        ['a', 'bb'],
        ['aaa', 'b'],
      ],
      'right',
    ),
    ['a    bb', 'aaa   b'],
  );
});
