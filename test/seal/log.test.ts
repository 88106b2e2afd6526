/** What grows by appending: torn ends are cut off, and told from what somebody changed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { LogSealer, openLog } from '../../src/seal/log.js';
import { SLOT_BYTES } from '../../src/seal/slot.js';
import { Unsound } from '../../src/seal/unsound.js';
import { noise } from './fixture.js';
import { keyringOf } from './keys.js';

const keyring = keyringOf('a');

/** What is valid until the next. */
function copied(pieces: Iterable<Buffer>): Buffer {
  const all: Buffer[] = [];
  for (const piece of pieces) all.push(Buffer.from(piece));
  return Buffer.concat(all);
}

/** A log of `count` entries of different lengths: its pieces, and what is in them. */
function written(count: number): { entries: Buffer[]; header: Buffer; contents: Buffer[] } {
  const sealer = new LogSealer(keyring);
  const contents = Array.from({ length: count }, (_, i) => noise(10 + i * 97, i + 1));
  const entries = contents.map((bytes) =>
    copied(sealer.entries([bytes.subarray(0, 5), bytes.subarray(5, 5), bytes.subarray(5)])),
  );
  return { header: sealer.header, entries, contents };
}

function open(...pieces: Buffer[]) {
  return openLog(Buffer.concat(pieces), keyring, 'the log');
}

test('entries come back, and no two have the same nonce', () => {
  const { header, entries, contents } = written(200);
  assert.deepEqual(open(header, ...entries), { contents: Buffer.concat(contents), rest: 0, tampered: null });
  assert.equal(new Set(entries.map((entry) => entry.toString('hex', 8, 20))).size, 200);
  assert.deepEqual(open(header), { contents: Buffer.alloc(0), rest: 0, tampered: null });
});

test('cut off anywhere, it ends before the entry that is not whole', () => {
  const { header, entries, contents } = written(3);
  const log = Buffer.concat([header, ...entries]);
  for (let length = SLOT_BYTES; length < log.length; length++) {
    let whole = 0;
    let end = SLOT_BYTES;
    while (end + entries[whole].length <= length) end += entries[whole++].length;
    assert.deepEqual(open(log.subarray(0, length)), {
      contents: Buffer.concat(contents.slice(0, whole)),
      rest: length - end,
      tampered: null,
    });
  }
  assert.throws(() => open(header.subarray(0, -1)), Unsound);
});

test('any byte of an entry that is changed ends it there', () => {
  const { header, entries, contents } = written(3);
  for (let at = 0; at < entries[1].length; at++) {
    const changed = Buffer.from(entries[1]);
    changed[at] ^= 1 << (at % 8);
    const { contents: found } = open(header, entries[0], changed, entries[2]);
    assert.deepEqual(found, contents[0], `byte ${at}`);
  }
});

test('who changes an entry and its crc is found out', () => {
  const { header, entries, contents } = written(3);
  for (let at = 8; at < entries[1].length; at++) {
    const changed = Buffer.from(entries[1]);
    changed[at] ^= 1 << (at % 8);
    changed.writeUInt32LE(crc32(changed.subarray(8)), 4);
    const { contents: found, tampered, rest } = open(header, entries[0], changed, entries[2]);
    assert.deepEqual(found, contents[0]);
    assert.match(tampered ?? '', /not what was written, or not in its place/);
    assert.equal(rest, changed.length + entries[2].length);
  }
});

test('entries in another order, left out, twice, or of another log are found out', () => {
  const { header, entries, contents } = written(3);
  const [a, b, c] = entries;
  const other = written(3).entries;
  for (const [changed, whole] of [
    [[b, a, c], 0],
    [[a, c], 1],
    [[b, c], 0],
    [[a, a, b], 1],
    [[a, other[1], c], 1],
    [other, 0],
  ] as const) {
    const { contents: found, tampered } = open(header, ...changed);
    assert.deepEqual(found, Buffer.concat(contents.slice(0, whole)));
    assert.notEqual(tampered, null);
  }
});

test('what is long is cut, and is one again', () => {
  const sealer = new LogSealer(keyring);
  const bytes = noise(200_000);
  const parts = [bytes.subarray(0, 10), bytes.subarray(10, 150_000), bytes.subarray(150_000)];
  const log = Buffer.concat([sealer.header, copied(sealer.entries(parts)), copied(sealer.entries([bytes]))]);
  assert.deepEqual(open(log).contents, Buffer.concat([bytes, bytes]));
  assert.ok(open(log.subarray(0, 100_000)).rest < 65_536 + 36);
});
