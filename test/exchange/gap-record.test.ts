import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EMPTY_RECORD, gapLine, readGapRecord, wholeRecord } from '../../src/exchange/gap-record.js';
import type { Gap, KnownGaps } from '../../src/exchange/gaps.js';
import { generator } from '../catalog/generator.js';
import { whole } from '../ring/samples.js';

const dropped = (start: number, end = start, messages: number | null = 1): Gap => ({
  start,
  end,
  messages,
  reason: 'dropped',
});

function known(settled: number | null, gaps: readonly Gap[], forgotten: number | null = null): KnownGaps {
  return { settled, forgotten, gaps };
}

test('what was written is read, and what a gap grew to stands for what it was', () => {
  const crash: Gap = { start: 4, end: 9, messages: null, reason: 'crash' };
  const text =
    wholeRecord(known(3, [dropped(1)]), []) +
    gapLine(known(9, [crash, dropped(1, 2, 2)])) +
    gapLine(known(12, []));
  assert.deepEqual(readGapRecord(text), {
    settled: 12,
    forgotten: null,
    gaps: [dropped(1, 2, 2), crash],
    torn: false,
    growing: false,
    damaged: 0,
  });
  assert.deepEqual(readGapRecord(''), EMPTY_RECORD);
});

test('a gap that begins with another one of its reason and ends earlier takes nothing from it', () => {
  const deleted: Gap = { start: 1, end: 9, messages: 6, reason: 'deleted' };
  const again: Gap = { start: 1, end: 2, messages: 2, reason: 'deleted' };
  const text = gapLine(known(9, [deleted])) + gapLine(known(12, [again]));
  assert.deepEqual(readGapRecord(text).gaps, [deleted]);
});

test('gaps that retention took are none, whichever line told of them', () => {
  const text = gapLine(known(9, [dropped(1), dropped(5, 8, 3)])) + gapLine(known(12, [dropped(12)], 6));
  assert.deepEqual(readGapRecord(text).gaps, [dropped(5, 8, 3), dropped(12)]);
  assert.deepEqual(readGapRecord(text + gapLine(known(12, [], 12))).gaps, []);
});

test('the lines of a long record do not say that all stands in them before the last one', () => {
  const gaps = Array.from({ length: 1200 }, (_, i) => dropped(10 + i * 10));
  const text = wholeRecord(known(20_000, gaps, 5), gaps.slice(-1));
  assert.deepEqual(readGapRecord(text), {
    ...EMPTY_RECORD,
    settled: 20_000,
    forgotten: 5,
    gaps,
    growing: true,
  });
  const lines = text.trimEnd().split('\n');
  assert.equal(lines.length, 4);
  const cut = readGapRecord(`${lines.slice(0, 2).join('\n')}\n`);
  assert.deepEqual([cut.settled, cut.gaps.length, cut.torn], [null, 1000, false]);
});

test('wherever it is cut, the whole lines are read and the rest is told', () => {
  const lines = [known(3, [dropped(1)]), known(5, [dropped(4)]), known(9, [dropped(7, 9, 2)])].map(gapLine);
  const text = lines.join('');
  const ends = lines.map((_, i) => lines.slice(0, i + 1).join('').length);
  for (let length = 0; length <= text.length; length++) {
    const record = readGapRecord(text.slice(0, length));
    const lineCount = ends.filter((end) => end <= length).length;
    assert.equal(record.gaps.length, lineCount);
    assert.equal(record.settled, [null, 3, 5, 9][lineCount]);
    assert.equal(record.torn, length !== 0 && !ends.includes(length));
    assert.equal(record.growing, lineCount > 0);
    assert.equal(record.damaged, 0);
  }
});

test('a line that is damaged is never believed: behind it damage, at the end a torn one', () => {
  const lines = [1, 2, 3, 4].map((key) => gapLine(known(key, [dropped(key)])));
  const bytes = Buffer.from(lines.join(''));
  const random = generator(7);
  for (let i = 0; i < 500; i++) {
    const at = whole(random, 0, bytes.length - 1);
    const flipped = Buffer.from(bytes);
    flipped[at]! ^= 1 << whole(random, 0, 7);
    const { gaps, torn, damaged } = readGapRecord(flipped.toString('utf8'));
    assert.ok(torn || damaged > 0, `byte ${at}`);
    for (const gap of gaps) assert.deepEqual(gap, dropped(gap.start));
    if (!torn) assert.equal(gaps.at(-1)?.start, 4);
  }
});

test('what is no record is all damage, not a reason to fail', () => {
  for (const text of ['x', '\n', 'null\n', `${'0'.repeat(8)} {}\n`, '\0'.repeat(4096), '{"gaps":[]}\n']) {
    assert.deepEqual(readGapRecord(text), { ...EMPTY_RECORD, torn: true }, JSON.stringify(text.slice(0, 20)));
  }
});
