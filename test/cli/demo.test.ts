import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import type { DemoReport } from '../../src/cli/demo/report.js';
import { reportLines } from '../../src/cli/demo/report.js';
import { run } from './program.js';

const leftovers = async () =>
  (await readdir(tmpdir())).filter((name) => name.startsWith('mqtt-stream-demo-'));

test('the demonstration verifies everything and leaves nothing behind', async () => {
  const before = await leftovers();
  const { code, text, err } = await run('demo', '--seconds', '2', '--json');
  assert.equal(code, 0, text + err.join('\n'));
  const report = JSON.parse(text) as DemoReport;
  assert.deepEqual(report.differences, []);
  assert.deepEqual(
    report.streams.map(({ stream, published }) => [stream, published]),
    [
      ['can', 4000],
      ['lidar', 20],
      ['drive', 64],
      ['all', 4084],
    ],
  );
  for (const { stream, published, captured, fromRing, fromFiles, replayed, onDisk } of report.streams) {
    assert.deepEqual([captured, replayed, onDisk], [published, published, published], stream);
    assert.equal(fromRing + fromFiles, published, stream);
    assert.ok(fromRing > 0 && fromFiles > 0, stream);
  }
  assert.deepEqual(await leftovers(), before);

  assert.equal(reportLines(report).at(-1), 'all verified');
  const failed = { ...report, differences: ['stream can, replay: 1 of 2 messages'] };
  assert.equal(reportLines(failed).at(-1), 'differs: stream can, replay: 1 of 2 messages');
  assert.doesNotMatch(reportLines(failed).join('\n'), /all verified|every message in a file/);
});
