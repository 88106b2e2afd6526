import assert from 'node:assert/strict';
import * as files from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Table as ArrowTable, tableToIPC, vectorFromArray } from 'apache-arrow';
import { Table, WriterPropertiesBuilder, writeParquet } from 'parquet-wasm';
import { readFooter } from '../../src/catalog/footer.js';
import { generator } from './generator.js';
import { DAY, dataFolder, foreignParquet, parquet } from './parquet.js';

async function footerOf(t: TestContext, bytes: Uint8Array) {
  const path = join(await dataFolder(t), 'x.parquet');
  await files.writeFile(path, bytes);
  return readFooter(path, files);
}

const sample = { firstKey: DAY, lastKey: DAY + 9 };

test('the footer tells what the recorder wrote', async (t) => {
  const bytes = parquet(sample);
  const { rawBytes, ...footer } = (await footerOf(t, bytes))!;
  assert.ok(rawBytes > 16 && rawBytes < bytes.length);
  assert.deepEqual(footer, {
    rows: 2,
    bytes: bytes.length,
    stream: 'vehicle',
    firstKey: DAY,
    lastKey: DAY + 9,
    bootId: 'boot-1',
    clock: { corrections: [{ from: DAY, offset: 5 }] },
    version: '1',
    sources: [],
  });
});

test('a file written by parquet-wasm is understood', async (t) => {
  const topics = Array.from({ length: 5000 }, (_, i) => `vehicle/${i % 7}`);
  const table = Table.fromIPCStream(tableToIPC(new ArrowTable({ topic: vectorFromArray(topics) }), 'stream'));
  const metadata = new Map(
    Object.entries({ stream: 'vehicle', firstKey: `${DAY}`, lastKey: `${DAY + 1}`, rows: '5000' }).map(
      ([key, value]) => [`mqtt-stream.${key}`, value],
    ),
  );
  const properties = new WriterPropertiesBuilder()
    .setKeyValueMetadata(metadata)
    .setMaxRowGroupSize(2000)
    .build();
  const footer = await footerOf(t, writeParquet(table, properties));
  assert.equal(footer?.rows, 5000);
  assert.equal(footer.clock, null);
});

test('a footer larger than the first read is read whole', async (t) => {
  const clock = JSON.stringify({ note: 'x'.repeat(100_000) });
  const footer = await footerOf(t, parquet({ ...sample, metadata: { clock } }));
  assert.equal(String(footer?.clock?.note).length, 100_000);
});

test('a whole file of somebody else is nothing of ours, and not corrupt', async (t) => {
  assert.equal(await footerOf(t, foreignParquet(DAY, DAY + 1)), null);
});

test('a clock that is no JSON object does not cost the messages', async (t) => {
  for (const clock of [undefined, '{', '[]', 'null', '7']) {
    assert.equal((await footerOf(t, parquet({ ...sample, metadata: { clock } })))?.clock, null);
  }
});

test('what is not whole is corrupt, with the reason', async (t) => {
  const whole = parquet({ ...sample, payload: 20_000 });
  const patch = (position: number, ...values: number[]) => {
    const copy = Buffer.from(whole);
    copy.set(values, position);
    return copy;
  };
  const end = whole.length;
  const footerBytes = whole.readUInt32LE(end - 8);
  const cases: [string, Uint8Array, RegExp][] = [
    ['empty', Buffer.alloc(0), /0 bytes are too few/],
    ['magic alone', Buffer.from('PAR1PAR1'), /8 bytes are too few/],
    ['truncated by a byte', whole.subarray(0, end - 1), /end with PAR1/],
    ['truncated by half', whole.subarray(0, end / 2), /end with PAR1/],
    ['zeroed', Buffer.alloc(end), /begin with PAR1/],
    ['zeroed tail', patch(end - 512, ...new Uint8Array(512)), /end with PAR1/],
    ['wrong first magic', patch(0, 80, 65, 82, 69), /begin with PAR1/],
    ['encrypted footer', patch(end - 4, 80, 65, 82, 69), /end with PAR1/],
    ['length beyond the file', patch(end - 8, 0, 0, 1, 0), /longer than the file/],
    ['length of zero', patch(end - 8, 0, 0, 0, 0), /cannot be read/],
    ['zeroed footer', patch(end - 8 - footerBytes, ...new Uint8Array(footerBytes)), /cannot be read/],
    ['two files in one', Buffer.concat([whole.subarray(0, 4), whole.subarray(end / 2)]), /outside the file/],
    ['no rows told', parquet({ ...sample, metadata: { rows: undefined } }), /mqtt-stream\.rows/],
    ['other rows told', parquet({ ...sample, metadata: { rows: '3' } }), /2 rows instead of 3/],
    ['no stream told', parquet({ ...sample, metadata: { stream: undefined } }), /name no stream/],
    ['a key of letters', parquet({ ...sample, metadata: { firstKey: '0x10' } }), /mqtt-stream\.firstKey/],
    [
      'a key too large',
      parquet({ ...sample, metadata: { lastKey: '9007199254740993' } }),
      /mqtt-stream\.lastKey/,
    ],
    ['keys reversed', parquet({ ...sample, metadata: { lastKey: '1' } }), /above its last key/],
  ];
  for (const [name, bytes, message] of cases) {
    await assert.rejects(footerOf(t, bytes), { code: 'FILE_CORRUPT', message }, name);
  }
});

test('noise in the footer never gives anything but a footer or FILE_CORRUPT', async (t) => {
  const path = join(await dataFolder(t), 'x.parquet');
  const whole = parquet(sample);
  const footerBytes = whole.readUInt32LE(whole.length - 8);
  const random = generator(7);
  let corrupt = 0;
  for (let round = 0; round < 300; round += 1) {
    const bytes = Buffer.from(whole);
    const start = whole.length - 8 - footerBytes + Math.floor(random() * footerBytes);
    const length = 1 + Math.floor(random() * 40);
    for (let i = start; i < Math.min(start + length, whole.length - 8); i += 1) bytes[i] = random() * 256;
    await files.writeFile(path, bytes);
    try {
      assert.equal((await readFooter(path, files))?.rows ?? 2, 2);
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'FILE_CORRUPT', String(error));
      corrupt += 1;
    }
  }
  assert.ok(corrupt > 150, `${corrupt} of 300 found corrupt`);
});

test('a failure to read is no corruption, and the file is closed', async () => {
  let closed = 0;
  const failure = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
  const handle = {
    stat: async () => ({ size: 1000 }),
    read: async () => Promise.reject(failure),
    sync: async () => {},
    close: async () => {
      closed += 1;
    },
  };
  await assert.rejects(readFooter('x', { open: async () => handle }), failure);
  assert.equal(closed, 1);
  const short = { ...handle, read: async () => ({ bytesRead: 0 }) };
  await assert.rejects(readFooter('x', { open: async () => short }), {
    code: 'FILE_CORRUPT',
    message: /shorter/,
  });
  assert.equal(closed, 2);
  await assert.rejects(readFooter('/nowhere/x', files), { code: 'ENOENT' });
});
