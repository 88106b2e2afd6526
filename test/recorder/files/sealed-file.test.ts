/** Encrypted files as the recorder writes them, and the checksums of what is sent of them. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { DigestQueue } from '../../../src/recorder/digest.js';
import { FileWriter } from '../../../src/recorder/files/writer.js';
import type { Report } from '../../../src/recorder/protocol.js';
import { noise, unsealed } from '../../seal/fixture.js';
import { keyringOf } from '../../seal/keys.js';
import { MemoryDisk } from '../memory-disk.js';

const LABEL = {
  firstKey: 1_732_330_000_000_000,
  lastKey: 1_732_330_000_000_009,
  seq: 7,
  rows: 2,
  rawBytes: 200_000,
};
const BYTES = noise(200_000);
const keyring = keyringOf('a');
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

function digest(disk: MemoryDisk, path: string, open?: number): Report {
  let report: Report | null = null;
  const queue = new DigestQueue({
    disk,
    dataDir: '/data',
    sealing: { keyring, sentOpen: true },
    post: (one) => {
      report = one;
    },
  });
  queue.add({ id: 1, path, ...(open === undefined ? {} : { open }) });
  while (report === null) queue.step();
  assert.equal(disk.opened, 0);
  return report;
}

for (const sentOpen of [false, true]) {
  test(`the checksum is of what is sent: ${sentOpen ? 'what is in it' : 'the file as it is'}`, async () => {
    const disk = new MemoryDisk();
    const file = new FileWriter(disk, '/data', 'vehicle').write(LABEL, BYTES, { keyring, sentOpen });
    const stored = disk.files.get(`/data/${file.path}`)!;
    assert.match(file.name, /_7\.parquet\.enc$/);
    assert.equal(file.bytes, stored.length);
    assert.deepEqual(await unsealed(stored, keyring), BYTES);
    assert.equal(file.sha256, sha256(sentOpen ? BYTES : stored));
    const again = digest(disk, file.path, ...(sentOpen ? [file.bytes] : []));
    const bytes = sentOpen ? BYTES.length : stored.length;
    assert.deepEqual(again, { kind: 'done', id: 1, answer: { sha256: file.sha256, bytes } });
  });
}

test('no checksum of a file that was changed', () => {
  const disk = new MemoryDisk();
  const { path, bytes } = new FileWriter(disk, '/data', 'vehicle').write(LABEL, BYTES, {
    keyring,
    sentOpen: true,
  });
  const changed = Buffer.from(disk.files.get(`/data/${path}`)!);
  changed[100_000] ^= 1;
  disk.files.set(`/data/${path}`, changed);
  const report = digest(disk, path, bytes);
  assert.ok(report.kind === 'undone' && /piece 1 is not what was written/.test(report.error));
});

test('a file is encrypted with another data key each time it is tried', () => {
  const disk = new MemoryDisk();
  const writer = new FileWriter(disk, '/data', 'vehicle');
  const tried: Uint8Array[] = [];
  disk.onOperation = (operation, path) => {
    if (operation !== 'rename' || tried.length > 1) return;
    tried.push(disk.files.get(`${path}.tmp`)!);
    throw new Error('EIO: i/o error, rename');
  };
  for (let i = 0; i < 2; i++)
    assert.throws(() => writer.write(LABEL, BYTES, { keyring, sentOpen: false }), /EIO/);
  assert.notDeepEqual(tried[0]!.subarray(140, 1000), tried[1]!.subarray(140, 1000));
});
