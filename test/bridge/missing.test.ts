import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MissingMessages } from '../../src/bridge/missing.js';
import { BridgeStats } from '../../src/bridge/stats.js';
import { MemoryLog } from './fixture.js';

function rig() {
  const stats = new BridgeStats();
  const log = new MemoryLog();
  return { stats, log, missing: new MissingMessages(stats, log) };
}

const gap = (start: number, end: number, messages: number | null, reason = 'dropped') => {
  return { start, end, messages, reason };
};

test('a gap is told once, with its part in what comes next', () => {
  const { stats, log, missing } = rig();
  assert.ok(missing.pass([gap(5, 20, 12)], { start: 10, end: 30 }));
  assert.deepEqual(log.lines[0]?.fields, gap(10, 20, 12));
  assert.ok(missing.pass([gap(5, 20, 12)], { start: 15, end: 40 }));
  assert.ok(missing.pass([], { start: 41, end: 50 }));
  assert.equal(stats.gaps, 1);
  assert.equal(stats.missed, 12);
});

test('one that has grown is told with what is new', () => {
  const { stats, missing } = rig();
  missing.pass([gap(5, 20, 12)], { start: 10, end: 30 });
  missing.pass([gap(5, 60, 20), gap(70, 70, null, 'crash')], { start: 31, end: 80 });
  assert.equal(stats.gaps, 3);
  assert.equal(stats.missed, 20);
});

test('what is being written is waited for, and nothing is told before', () => {
  const { stats, missing } = rig();
  const gaps = [gap(5, 6, 2), gap(8, 9, 2, 'being-written')];
  assert.equal(missing.pass(gaps, { start: 1, end: 20 }), false);
  assert.equal(stats.gaps, 0);
});
