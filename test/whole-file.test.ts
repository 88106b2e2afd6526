import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeWhole } from '../src/whole-file.js';
import { generator } from './catalog/generator.js';
import { PowerDisk } from './power/power-disk.js';
import { promises } from './power/promises.js';

test('what was written is there after every power cut, from the moment on at which that is told', async () => {
  for (let seed = 0; seed < 200; seed++) {
    const disk = new PowerDisk(generator(seed));
    await writeWhole('/f', 'one', promises(disk));
    assert.equal(textIn(disk.cut()), 'one');
    await writeWhole('/f', 'second', promises(disk));
    assert.equal(textIn(disk.cut()), 'second');
  }
});

test('a power cut in the midst of it leaves what was there, or what was to be', async () => {
  const found = new Set<string>();
  for (let seed = 0; seed < 500; seed++) {
    const random = generator(seed);
    const disk = new PowerDisk(random);
    await writeWhole('/f', 'one', promises(disk));
    disk.stopAt = disk.steps + 1 + Math.floor(random() * 5);
    await assert.rejects(writeWhole('/f', 'second', promises(disk)));
    found.add(textIn(disk.cut()));
  }
  assert.deepEqual([...found].sort(), ['one', 'second']);
});

function textIn(disk: PowerDisk): string {
  return Buffer.from(disk.files().get('/f')!).toString();
}
