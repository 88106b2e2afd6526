/** The journal of an encrypted stream, and the files that are made of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { Keyring } from '../../../src/seal/keyring.js';
import { SLOT_BYTES } from '../../../src/seal/slot.js';
import { unsealed } from '../../seal/fixture.js';
import { keyringOf, namedKey } from '../../seal/keys.js';
import { MemoryDisk } from '../memory-disk.js';
import { type ListedRow, Rig, stream } from '../rig.js';

const FIRST = '/data/streams/a/journal/0000000001.journal.enc';
const LATER = 1_732_330_000_001_000;
const keyring = keyringOf('a');

/** The keys in all encrypted files, in the order of the files' names. */
async function keysIn(disk: MemoryDisk): Promise<number[]> {
  const files = [...disk.files]
    .filter(([path]) => path.endsWith('.parquet.enc'))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const rows: ListedRow[] = [];
  for (const [, bytes] of files) rows.push(...JSON.parse((await unsealed(bytes, keyring)).toString()));
  return rows.map(({ key }) => key);
}

function paths(disk: MemoryDisk): string[] {
  return [...disk.files.keys()].filter((path) => path.includes('journal'));
}

/** A process that dies with three blocks of two messages in its journal. */
function died(disk: MemoryDisk): number[] {
  const rig = new Rig({ disk, keyring });
  const writer = rig.add(stream('a', {}, 'process', true));
  const keys: number[] = [];
  for (let block = 0; block < 3; block++) {
    keys.push(...rig.append(writer, 2, 'who is this'));
    rig.settle();
  }
  return keys;
}

function restart(disk: MemoryDisk, more = keyring, encrypted = true): Rig {
  const rig = new Rig({ disk, firstKey: LATER, keyring: more });
  rig.add(stream('a', {}, 'process', encrypted), 1024, 1024 * 1024, { numbers: { next: 9 } });
  return rig.settle();
}

/** Where the entries of a sealed log begin, and its end. */
function entries(log: Uint8Array): number[] {
  const view = new DataView(log.buffer, log.byteOffset, log.byteLength);
  const starts = [SLOT_BYTES];
  while (starts.at(-1)! < log.length) starts.push(starts.at(-1)! + 8 + view.getUint32(starts.at(-1)!, true));
  return starts;
}

/** What is missing is on the disk. */
function noted(rig: Rig): Rig {
  rig.post({ kind: 'noted', stream: 'a' });
  return rig.settle();
}

test('nothing of a message stands in it, and it becomes encrypted files', async () => {
  const disk = new MemoryDisk();
  const keys = died(disk);
  assert.deepEqual(paths(disk), [FIRST]);
  const stored = Buffer.from(disk.files.get(FIRST)!);
  for (const text of ['who is this', 'vehicle/speed', 'car']) assert.equal(stored.indexOf(text), -1);
  const { restored } = restart(disk);
  assert.deepEqual(await keysIn(disk), keys);
  assert.deepEqual([...disk.files.keys()].length, 1);
  assert.deepEqual([restored[0]?.torn, restored[0]?.left], [0, 0]);
});

test('cut off anywhere it keeps the blocks that are whole', async () => {
  const whole = new MemoryDisk();
  const keys = died(whole);
  const log = whole.files.get(FIRST)!;
  const [, ...ends] = entries(log);
  assert.equal(ends.length, 4, 'a header and three blocks');
  for (let length = 0; length < log.length; length += 3) {
    const disk = new MemoryDisk();
    disk.files.set(FIRST, log.subarray(0, length));
    const { reports, restored } = restart(disk);
    const blocks = Math.max(0, ends.filter((end) => end <= length).length - 1);
    assert.deepEqual(await keysIn(disk), keys.slice(0, blocks * 2), `${length} bytes`);
    assert.deepEqual(paths(disk), []);
    if (length >= ends[0]!) assert.equal(restored[0]?.torn, length - ends[blocks]!);
    assert.deepEqual(
      reports.filter(({ kind }) => kind !== 'remark'),
      [],
    );
  }
});

test('a block that somebody changed: what stands before it is kept, the segment set aside, and that is told', async () => {
  for (const [what, change] of [
    ['a byte', (log: Buffer, [, , start]: number[]) => log.writeUInt8(log[start! + 30]! ^ 1, start! + 30)],
    ['another block', (log: Buffer, [, , b, c, d]: number[]) => log.copy(log, b!, c!, d!)],
  ] as const) {
    const disk = new MemoryDisk();
    const keys = died(disk);
    const log = Buffer.from(disk.files.get(FIRST)!);
    const starts = entries(log);
    change(log, starts);
    const [, , start, end] = starts as [number, number, number, number];
    log.writeUInt32LE(crc32(log.subarray(start + 8, end)), start + 4);
    disk.files.set(FIRST, log);
    const { reports } = noted(restart(disk));
    assert.deepEqual(await keysIn(disk), keys.slice(0, 2), what);
    assert.deepEqual(paths(disk), [`${FIRST}.corrupt`]);
    const [remark] = reports;
    assert.ok(
      remark?.kind === 'remark' && /0000000001.*of stream a was changed by somebody/.test(remark.text),
    );
  }
});

test('a segment with the name of another, or a damaged beginning, is set aside', () => {
  const renamed = new MemoryDisk();
  died(renamed);
  const other = FIRST.replace('1.', '7.');
  renamed.files.set(other, renamed.files.get(FIRST)!);
  renamed.files.delete(FIRST);
  noted(restart(renamed));
  assert.deepEqual([...renamed.files.keys()], [`${other}.corrupt`]);
  for (let at = 0; at < SLOT_BYTES; at += 7) {
    const disk = new MemoryDisk();
    died(disk);
    const log = Buffer.from(disk.files.get(FIRST)!);
    log[at] ^= 4;
    disk.files.set(FIRST, log);
    noted(restart(disk));
    assert.deepEqual([...disk.files.keys()], [`${FIRST}.corrupt`]);
  }
});

test('without the key it fails, stays, and is tried again', async () => {
  for (const [wrong, code] of [
    [keyringOf('b'), /needs the encryption key "a"/],
    [new Keyring([namedKey('a', 'other')]), /another one than the key of this id/],
  ] as const) {
    const disk = new MemoryDisk();
    const keys = died(disk);
    const { reports } = restart(disk, wrong);
    const [failed] = reports;
    assert.ok(failed?.kind === 'failed' && failed.what === 'recovery');
    assert.match(failed.error, code);
    assert.deepEqual([...disk.files.keys()], [FIRST]);
    restart(disk, keyringOf('b', 'a'));
    assert.deepEqual(paths(disk), []);
    assert.equal(disk.files.size, 1);
    assert.equal(keys.length, 6);
  }
});

test('encryption may have been switched on or off since', async () => {
  const on = new MemoryDisk();
  const plain = new Rig({ disk: on });
  const before = plain.append(plain.add(stream('a', {}, 'process')), 3);
  plain.settle();
  restart(on);
  assert.deepEqual(await keysIn(on), before);
  const off = new MemoryDisk();
  const keys = died(off);
  restart(off, keyring, false);
  assert.deepEqual(await keysIn(off), keys, 'what was encrypted stays so');
  assert.equal(off.files.size, 1);
});

test('after a write that failed the next segment has a data key of its own', async () => {
  const disk = new MemoryDisk();
  const rig = new Rig({ disk, keyring });
  const writer = rig.add(stream('a', {}, 'process', true));
  const keys = rig.append(writer, 2);
  rig.settle();
  disk.onOperation = (operation) => {
    if (operation === 'write') throw new Error('EIO: i/o error, write');
  };
  keys.push(...rig.append(writer, 2));
  rig.settle();
  disk.onOperation = () => {};
  rig.pass(100);
  const slots = paths(disk).map((path) => Buffer.from(disk.files.get(path)!).toString('hex', 0, SLOT_BYTES));
  assert.equal(new Set(slots).size, 2);
  restart(disk);
  assert.deepEqual(await keysIn(disk), keys);
  assert.deepEqual(paths(disk), []);
});
