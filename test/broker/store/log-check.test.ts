import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { level } from '../../../src/broker/store/database.js';
import { damageIn } from '../../../src/broker/store/log-check.js';
import { newFolder } from './fixture.js';

/** A log as LevelDB writes it: batches of many sizes, one over several blocks. */
async function log(): Promise<Buffer> {
  const folder = newFolder();
  const database = level(folder);
  await database.open();
  for (const size of [1, 100, 32_700, 50, 150_000, 1000, 0, 40_000]) {
    const batch = database.batch();
    batch.put(`key${size}`, Buffer.alloc(size, size));
    await batch.write({ sync: false });
  }
  await database.close();
  const name = (await readdir(folder)).find((one) => one.endsWith('.log'))!;
  return readFile(join(folder, name));
}

test('a log is whole however much of its end is missing', async () => {
  const whole = await log();
  assert.ok(whole.length > 200_000);
  for (let end = 0; end <= whole.length; end += 997) assert.equal(damageIn(whole.subarray(0, end)), null);
  assert.equal(damageIn(whole), null);
});

test('whatever byte is another one, a record that is not the last is damaged', async () => {
  const whole = await log();
  // The last batch begins in the block before the last two.
  const end = whole.length - 75_000;
  for (let at = 0; at < end; at += 499) {
    const bytes = Buffer.from(whole);
    bytes[at]! ^= 0x10;
    const found = damageIn(bytes);
    assert.ok(found !== null && found <= at, `byte ${at}`);
  }
});

test('an end of zeros or of noise is an end that is missing', async () => {
  const whole = await log();
  for (const byte of [0, 0xff]) {
    assert.equal(damageIn(Buffer.concat([whole, Buffer.alloc(100_000, byte)])), null);
  }
  assert.notEqual(
    damageIn(Buffer.concat([whole, Buffer.alloc(65_536 - (whole.length % 32_768)), whole])),
    null,
  );
});
