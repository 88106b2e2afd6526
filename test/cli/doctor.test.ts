import assert from 'node:assert/strict';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathsOf, stoppedFolder } from '../doctor/patient.js';
import { run, tempFolder } from './program.js';

test('doctor: one line a finding, and the exit code tells whether there is one', async (t) => {
  const dataDir = await stoppedFolder(t);
  const well = await run('doctor', dataDir);
  assert.deepEqual([well.code, well.out], [0, []]);
  assert.equal(well.err.at(-1), 'nothing is wrong');
  const [file] = (await pathsOf(dataDir, '.parquet')) as [string];
  await truncate(join(dataDir, file), 10);
  const ill = await run('doctor', dataDir);
  assert.equal(ill.code, 1);
  assert.equal(ill.out.length, 1);
  assert.match(ill.out[0]!, /^streams\/vehicle\/.*: is no whole file: .* \(put a copy of it back;/);
  assert.equal(ill.err.at(-1), '1 finding');
  const json = await run('doctor', dataDir, '--json');
  assert.equal(json.code, 1);
  const finding = JSON.parse(json.out[0]!);
  assert.deepEqual([finding.kind, finding.path], ['file-corrupt', file]);
  assert.deepEqual(JSON.parse(json.err.at(-1)!), { findings: 1 });
});

test('doctor: what cannot be looked at has an exit code of its own', async (t) => {
  const folder = await tempFolder(t);
  const { code, err } = await run('doctor', join(folder, 'none'));
  assert.equal(code, 2);
  assert.match(err[0]!, /^DATA_DIR_UNUSABLE/);
  assert.equal((await run('doctor', folder, '--unknown')).code, 2);
});

test('doctor: without a folder, that of the configuration', async (t) => {
  const dataDir = await stoppedFolder(t);
  const folder = await tempFolder(t);
  const config = join(folder, 'config.yaml');
  await writeFile(config, JSON.stringify({ dataDir, streams: [{ name: 'vehicle', topics: ['vehicle/#'] }] }));
  assert.equal((await run('doctor', '--config', config)).code, 0);
  assert.equal((await run('doctor', '--config', join(folder, 'none.yaml'))).code, 2);
});
