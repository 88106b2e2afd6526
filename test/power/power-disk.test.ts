import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generator } from '../catalog/generator.js';
import { PowerCut, PowerDisk } from './power-disk.js';
import { promises } from './promises.js';

const CUTS = 2000;

/** Everything that a power cut at the end of `work` can leave, as text, in order. */
function outcomes(work: (disk: PowerDisk) => void, prepare: (disk: PowerDisk) => void = () => {}): string[] {
  const random = generator(1);
  const before = new PowerDisk(random);
  prepare(before);
  const disk = before.crash();
  work(disk);
  const found = new Set<string>();
  for (let i = 0; i < CUTS; i++) found.add(contents(disk.cut()));
  return [...found].sort();
}

/** `name=text` of every file; zeros and noise are dots. */
function contents(disk: PowerDisk): string {
  const files = [...disk.files()].map(([path, bytes]) => `${path}=${text(bytes)}`);
  return files.sort().join(' ');
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1').replaceAll(/[\0#]/g, '.');
}

/** Writes a file without syncing its folder; returns its handle. */
function put(disk: PowerDisk, path: string, written: string, synced = true): number {
  const file = disk.open(path, 'w');
  disk.write(file, Buffer.from(written));
  if (synced) disk.sync(file);
  return file;
}

function syncPath(disk: PowerDisk, path: string): void {
  const folder = disk.open(path, 'r');
  disk.sync(folder);
  disk.close(folder);
}

/** A durable file `/f` of these bytes. */
const durable = (bytes: string) => (disk: PowerDisk) => {
  put(disk, '/f', bytes);
  syncPath(disk, '/');
};

test('what was synced is there, with its folder', () => {
  assert.deepEqual(outcomes(durable('ab')), ['/f=ab']);
});

test('the name of a synced file is not durable before its folder is', () => {
  assert.deepEqual(
    outcomes((disk) => void put(disk, '/f', 'ab')),
    ['', '/f=ab'],
  );
});

test('a folder that is not synced takes what is in it along', () => {
  const work = (disk: PowerDisk) => {
    disk.makeFolder('/a/b');
    put(disk, '/a/b/f', 'x');
    syncPath(disk, '/a/b');
    syncPath(disk, '/');
  };
  assert.deepEqual(outcomes(work), ['', '/a/b/f=x']);
});

test('a write that is not synced is there, missing, torn, or zeros', () => {
  const work = (disk: PowerDisk) => void disk.write(disk.open('/f', 'a'), Buffer.from('cd'));
  const expected = ['ab', 'ab.', 'ab..', 'abc', 'abc.', 'abcd'];
  assert.deepEqual(
    outcomes(work, durable('ab')),
    expected.map((bytes) => `/f=${bytes}`),
  );
});

test('a later write survives an earlier one, and zeros are between', () => {
  const work = (disk: PowerDisk) => {
    const file = disk.open('/f', 'a');
    disk.write(file, Buffer.from('b'));
    disk.write(file, Buffer.from('c'));
  };
  const expected = ['a', 'a.', 'a..', 'a.c', 'ab', 'ab.', 'abc'];
  assert.deepEqual(
    outcomes(work, durable('a')),
    expected.map((bytes) => `/f=${bytes}`),
  );
});

test('any sectors of a write survive', () => {
  const large = Buffer.concat([Buffer.alloc(511, 'a'), Buffer.alloc(512, 'b'), Buffer.alloc(2, 'c')]);
  const work = (disk: PowerDisk) => void disk.write(disk.open('/f', 'a'), large);
  const found = outcomes(work, durable('_')).map((one) => one.slice('/f='.length));
  const sector = (at: number, letter: string, bytes: number) => (one: string) =>
    one.slice(at, at + bytes) === letter.repeat(bytes);
  const [first, second, third] = [sector(1, 'a', 511), sector(512, 'b', 512), sector(1024, 'c', 2)];
  const kinds = new Set(found.map((one) => [first(one), second(one), third(one)].map(Number).join('')));
  assert.deepEqual([...kinds].sort(), ['000', '001', '010', '011', '100', '101', '110', '111']);
  assert.ok(found.every((one) => one.startsWith('_') && one.length <= 1026));
});

test('a file that is begun anew may still hold what it held, or a mixture', () => {
  const found = outcomes((disk) => void put(disk, '/f', 'x', false), durable('ab'));
  assert.deepEqual(
    found,
    ['', '.', 'ab', 'x', 'xb'].map((bytes) => `/f=${bytes}`),
  );
});

test('a rename is there or not, whatever became of the data', () => {
  const work = (disk: PowerDisk) => {
    const file = put(disk, '/t', 'x', false);
    disk.rename('/t', '/v');
    assert.equal(contents(disk), '/f=a /v=x');
    disk.close(file);
  };
  const found = outcomes(work, durable('a'));
  assert.deepEqual(
    found,
    ['', ' /t=', ' /t=.', ' /t=x', ' /v=', ' /v=.', ' /v=x'].map((rest) => `/f=a${rest}`),
  );
});

test('names of different files survive in any order, those of one file in theirs', () => {
  const prepare = (disk: PowerDisk) => {
    for (const path of ['/a', '/b']) put(disk, path, '1');
    syncPath(disk, '/');
  };
  const work = (disk: PowerDisk) => {
    disk.remove('/a');
    disk.rename('/b', '/c');
    disk.rename('/c', '/d');
  };
  const expected = ['/a=1 /b=1', '/a=1 /c=1', '/a=1 /d=1', '/b=1', '/c=1', '/d=1'];
  assert.deepEqual(outcomes(work, prepare), expected);
});

test('a rename puts a file in the place of another at once', () => {
  const work = (disk: PowerDisk) => {
    put(disk, '/t', 'new');
    disk.rename('/t', '/f');
  };
  assert.deepEqual(outcomes(work, durable('old')), ['/f=new', '/f=old', '/f=old /t=new']);
});

test('a removed folder comes back as it may be', () => {
  const prepare = (disk: PowerDisk) => {
    disk.makeFolder('/d');
    put(disk, '/d/f', '1');
    for (const path of ['/d', '/']) syncPath(disk, path);
  };
  const work = (disk: PowerDisk) => {
    disk.unlink('/d/f');
    disk.removeFolder('/d');
  };
  assert.deepEqual(outcomes(work, prepare), ['', '/d/f=1']);
});

test('after a failed sync nothing makes the bytes durable, but the rest of the file is', () => {
  const work = (disk: PowerDisk) => {
    const file = disk.open('/f', 'a');
    disk.write(file, Buffer.from('b'));
    disk.fault = (operation) => (operation === 'sync' ? 'EIO' : null);
    assert.throws(() => disk.sync(file), { code: 'EIO' });
    disk.fault = () => null;
    disk.write(file, Buffer.from('c'));
    disk.sync(file);
    assert.equal(contents(disk), '/f=abc');
  };
  assert.deepEqual(outcomes(work, durable('a')), ['/f=a.c', '/f=abc']);
});

test('the power is cut before, behind or in the midst of a step; then nothing happens any more', () => {
  const found = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const disk = new PowerDisk(generator(seed));
    const file = put(disk, '/f', 'a');
    assert.equal(disk.steps, 3);
    disk.stopAt = 4;
    assert.throws(() => disk.write(file, Buffer.from('bc')), PowerCut);
    assert.ok(disk.dead);
    assert.throws(() => disk.sync(file), PowerCut);
    assert.throws(() => disk.remove('/f'), PowerCut);
    found.add(contents(disk.crash()));
  }
  assert.deepEqual([...found].sort(), ['/f=a', '/f=ab', '/f=abc']);
});

test('a process that dies loses nothing that a power cut would not', () => {
  const disk = new PowerDisk(generator(1));
  put(disk, '/f', 'ab', false);
  const next = disk.crash();
  assert.equal(contents(next), '/f=ab');
  assert.equal(next.opened, 0);
  assert.throws(() => disk.open('/f', 'r'), PowerCut);
  syncPath(next, '/');
  next.sync(next.open('/f', 'r'));
  assert.equal(contents(next.cut()), '/f=ab');
});

test('a full disk takes what there is room for; what is removed makes room', () => {
  const disk = new PowerDisk(generator(1));
  put(disk, '/a', 'abc');
  disk.capacity = 5;
  const file = disk.open('/b', 'w');
  assert.equal(disk.write(file, Buffer.from('defg')), 2);
  assert.throws(() => disk.write(file, Buffer.from('fg')), { code: 'ENOSPC' });
  disk.remove('/a');
  assert.equal(disk.write(file, Buffer.from('fg')), 2);
  assert.equal(contents(disk), '/b=defg');
});

test('errors are those of node:fs', async () => {
  const disk = new PowerDisk(generator(1));
  const files = promises(disk);
  disk.makeFolder('/d');
  put(disk, '/d/f', 'ab');
  await assert.rejects(files.open('/d/none', 'r', 0), { code: 'ENOENT' });
  await assert.rejects(files.open('/none/f', 'w', 0), { code: 'ENOENT' });
  await assert.rejects(files.readdir('/none', { withFileTypes: true }), { code: 'ENOENT' });
  await assert.rejects(files.unlink('/d/none'), { code: 'ENOENT' });
  await assert.rejects(files.rmdir('/d'), { code: 'ENOTEMPTY' });
  await assert.rejects(files.rename('/d/f', '/f'), { code: 'EXDEV' });
  assert.deepEqual(disk.list('/none'), []);
  assert.equal(disk.makeFolder('/d'), false);
  disk.fault = () => 'EROFS';
  assert.throws(() => disk.rename('/d/f', '/d/g'), { code: 'EROFS' });
  assert.equal(contents(disk), '/d/f=ab');
});

test('both ways to a disk lead to the same files', async () => {
  const disk = new PowerDisk(generator(1));
  const files = promises(disk);
  const file = await files.open('/f', 'w', 0o600);
  await file.writeFile('hello');
  await file.sync();
  await file.close();
  await files.rename('/f', '/g');
  assert.equal(await files.readFile('/g', 'utf8'), 'hello');
  const opened = disk.open('/g', 'r');
  const bytes = Buffer.alloc(3);
  assert.equal(disk.read(opened, bytes, 3), 2);
  assert.equal(bytes.toString(), 'lo\0');
  const [item] = await files.readdir('/', { withFileTypes: true });
  assert.deepEqual([item.name, item.isFile(), item.isDirectory()], ['g', true, false]);
});
