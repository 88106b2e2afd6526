import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JournalFiles, lastJournalKey } from '../../../src/recorder/journal/last-key.js';
import { keyringOf } from '../../seal/keys.js';
import { MemoryDisk } from '../memory-disk.js';
import { Rig, stream } from '../rig.js';

const SEGMENT = '/data/streams/a/journal/0000000001.journal';
const SECOND_SEGMENT = '/data/streams/a/journal/0000000002.journal';

function filesOf(disk: MemoryDisk): JournalFiles {
  return {
    readdir: async (path) => {
      const below = [...disk.files.keys()].filter((one) => one.startsWith(`${path}/`));
      if (below.length === 0) throw Object.assign(new Error('none'), { code: 'ENOENT' });
      return [...new Set(below.map((one) => one.slice(path.length + 1).split('/')[0]!))];
    },
    readFile: async (path) => Buffer.from(disk.files.get(path)!),
  };
}

/** Keys of what two streams have in their journals, in two blocks each. */
function journalled(disk: MemoryDisk): number[] {
  const rig = new Rig({ disk });
  const writers = ['a', 'b'].map((name) => rig.add(stream(name, {}, 'process')));
  const keys: number[] = [];
  for (let block = 0; block < 2; block++) {
    for (const writer of writers) keys.push(...rig.append(writer, 3));
    rig.settle();
  }
  return keys.sort((x, y) => x - y);
}

test('the highest key of all streams', async () => {
  const disk = new MemoryDisk();
  const keys = journalled(disk);
  disk.files.set('/data/streams/NO-STREAM/journal/0000000001.journal', new Uint8Array(100));
  assert.equal(await lastJournalKey('/data', filesOf(disk)), keys.at(-1));
});

test('nothing there, nothing in it, and what is no segment', async () => {
  const disk = new MemoryDisk();
  assert.equal(await lastJournalKey('/data', filesOf(disk)), 0);
  for (const bytes of [new Uint8Array(0), new Uint8Array(10), new Uint8Array(4096).fill(7)]) {
    disk.files.set(SEGMENT, bytes);
    assert.equal(await lastJournalKey('/data', filesOf(disk)), 0);
  }
});

test('a torn segment has what is whole in it; one without a row is followed by the one before', async () => {
  const disk = new MemoryDisk();
  const rig = new Rig({ disk });
  const writer = rig.add(stream('a', {}, 'process'));
  const first = rig.append(writer, 3);
  rig.settle();
  const whole = disk.files.get(SEGMENT)!.length;
  rig.append(writer, 3);
  rig.settle();
  const bytes = disk.files.get(SEGMENT)!;
  for (let cut = whole; cut < bytes.length; cut++) {
    disk.files.set(SEGMENT, bytes.subarray(0, cut));
    assert.equal(await lastJournalKey('/data', filesOf(disk)), first.at(-1));
  }
  disk.files.set(SECOND_SEGMENT, bytes.subarray(0, 16));
  assert.equal(await lastJournalKey('/data', filesOf(disk)), first.at(-1));
});

test('a folder that cannot be listed is an error', async () => {
  const files = { ...filesOf(new MemoryDisk()), readdir: () => Promise.reject(new Error('EIO')) };
  await assert.rejects(lastJournalKey('/data', files), /EIO/);
});

test('an encrypted segment has its key too, for who can open it', async () => {
  const disk = new MemoryDisk();
  const rig = new Rig({ disk, keyring: keyringOf('a') });
  const keys = rig.append(rig.add(stream('a', {}, 'process', true)), 3);
  rig.settle();
  assert.equal(await lastJournalKey('/data', filesOf(disk), keyringOf('b', 'a')), keys[2]);
  await assert.rejects(lastJournalKey('/data', filesOf(disk)), { code: 'KEY_MISSING' });
  disk.files.set(`${SEGMENT}.enc`, disk.files.get(`${SEGMENT}.enc`)!.subarray(0, 100));
  assert.equal(await lastJournalKey('/data', filesOf(disk), keyringOf('a')), 0);
});
