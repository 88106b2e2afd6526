/** Data folders to be looked at: as a broker leaves them, and then damaged. */
import assert from 'node:assert/strict';
import * as files from 'node:fs/promises';
import { cp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { App } from '../../src/app/app.js';
import { examine } from '../../src/doctor/doctor.js';
import type { Finding, Note } from '../../src/doctor/finding.js';
import type { DoctorFiles } from '../../src/doctor/folder.js';
import { Keyring } from '../../src/seal/keyring.js';
import { configOf, publishMany, started, streamInput, temporaryFolder } from '../app/app-fixture.js';
import { keyBytes } from '../seal/keys.js';

/** What the doctor says: findings as `kind path`, in order. */
export async function examined(
  dataDir: string,
  more: { files?: Partial<DoctorFiles>; now?: number; keyring?: Keyring } = {},
): Promise<{ kinds: string[]; findings: Finding[]; notes: Note[]; progress: [number, number][] }> {
  const findings: Finding[] = [];
  const notes: Note[] = [];
  const progress: [number, number][] = [];
  const report = {
    finding: (one: Finding) => findings.push(one),
    note: (one: Note) => notes.push(one),
    progress: (read: number, of: number) => progress.push([read, of]),
  };
  const now = more.now ?? Date.now() * 1000;
  const { keyring = Keyring.EMPTY } = more;
  await examine({ dataDir, files: { ...files, ...more.files } as DoctorFiles, report, now, keyring });
  for (const { what, advice } of findings) assert.ok(what.length > 5 && advice.length > 5);
  return { kinds: findings.map(({ kind, path }) => `${kind} ${path}`), findings, notes, progress };
}

/** Three files of four messages each, a journal of three messages, a session store; `dataDir` is as a crash leaves it. */
export async function crashedFolder(
  t: TestContext,
  encrypted = false,
): Promise<{ dataDir: string; app: App; live: string }> {
  const live = await temporaryFolder(t);
  const streams = [streamInput({ encryption: { enabled: encrypted } })];
  const encryptionKeys = async () => [{ id: 'a', key: keyBytes('a') }];
  const { app } = await started(t, configOf(live, { streams }), { encryptionKeys });
  for (let i = 0; i < 3; i++) {
    await publishMany(app, `${i}-`, 4, 1);
    assert.equal((await app.request('flush', { id: 'f', stream: 'vehicle' })).ok, true);
  }
  await publishMany(app, 'journal-', 3, 1);
  const dataDir = join(await temporaryFolder(t), 'data');
  await cp(live, dataDir, { recursive: true, filter: (path) => !path.endsWith('.json.tmp') });
  await rm(join(dataDir, 'lock.json'));
  return { dataDir, app, live };
}

/** After a stop in order. */
export async function stoppedFolder(t: TestContext): Promise<string> {
  const { app, live } = await crashedFolder(t);
  await app.close();
  return live;
}

/** Paths below the data folder that end so, in order. */
export async function pathsOf(dataDir: string, end: string): Promise<string[]> {
  return (await readdir(dataDir, { recursive: true })).filter((path) => path.endsWith(end)).sort();
}
