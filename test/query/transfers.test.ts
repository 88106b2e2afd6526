import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TransferOrder, Transfers } from '../../src/query/transfers.js';
import { World } from './world.js';

/** A catalogue with three files of two messages each, and a transfer client that may be there or not. */
async function rig() {
  const world = await World.make({ messages: 2 });
  for (let i = 0; i < 3; i++) {
    world.publishMany(2);
    world.commit();
  }
  const client = { there: true };
  const orders: TransferOrder[] = [];
  const transfers = new Transfers(world.catalog, '/data', 4096, (order) => {
    if (client.there) orders.push(order);
    return client.there;
  });
  const files = world.catalog.files('vehicle');
  /** Retention wants all of them away; which are gone from disk. */
  const gone = async () => {
    await world.catalog.retain('vehicle', { maxBytes: 0, maxFiles: 0, maxAge: 1 }, 1e15);
    await world.catalog.idle();
    return files.filter(({ path }) => world.folder.unlinked.includes(`/data/${path}`));
  };
  return { transfers, files, gone, orders, client };
}

const namesOf = (orders: readonly TransferOrder[]) =>
  orders.map(({ id, files }) => [id, ...files.map(({ firstKey }) => firstKey)]);

test('an order says all that the client has to know', async () => {
  const { transfers, files, orders } = await rig();
  files[0]!.sha256 = 'ab';
  transfers.order('r', 'vehicle', files.slice(0, 1));
  const { name, path } = files[0]!;
  assert.deepEqual(orders, [
    {
      id: 'r',
      stream: 'vehicle',
      root: '/data',
      chunkBytes: 4096,
      files: [{ name, path, bytes: 100, sha256: 'ab', rows: 2, firstKey: 1000, lastKey: 1001 }],
    },
  ]);
});

test('no files, no order', async () => {
  const { transfers, orders } = await rig();
  transfers.order('r', 'vehicle', []);
  assert.deepEqual(orders, []);
  assert.equal(transfers.outstanding, 0);
});

test('files stay on disk until the client has sent the end of each, or given it up', async () => {
  const { transfers, files, gone } = await rig();
  transfers.order('r', 'vehicle', files);
  assert.deepEqual(await gone(), []);
  const topic = (i: number, step: string) => `ParquetFile/r/${files[i]!.name}/${step}`;
  for (const step of ['init', '0', '4096', 'finish', '']) transfers.published(topic(0, step));
  assert.equal(transfers.outstanding, 3);
  transfers.published(topic(1, 'fin'));
  assert.deepEqual(await gone(), [files[1]]);
  transfers.published(topic(0, 'abort'));
  transfers.published(topic(0, 'fin'));
  assert.deepEqual(await gone(), [files[0], files[1]]);
  transfers.published(topic(2, 'fin'));
  assert.deepEqual(await gone(), files);
  assert.equal(transfers.outstanding, 0);
});

test('what others say of files that nobody asked for is nothing', async () => {
  const { transfers, files } = await rig();
  transfers.order('r', 'vehicle', files.slice(0, 1));
  const { name } = files[0]!;
  for (const topic of [
    `ParquetFile/s/${name}/fin`,
    'ParquetFile/r/other.parquet/fin',
    'ParquetFile',
    'ParquetFile/r/fin',
  ]) {
    transfers.published(topic);
  }
  assert.equal(transfers.outstanding, 1);
});

test('the same file in two requests stays until both are through', async () => {
  const { transfers, files, gone, orders } = await rig();
  const one = files.slice(0, 1);
  transfers.order('a', 'vehicle', one);
  transfers.order('b', 'vehicle', one);
  assert.deepEqual(namesOf(orders), [
    ['a', 1000],
    ['b', 1000],
  ]);
  assert.deepEqual(await gone(), files.slice(1));
  transfers.published(`ParquetFile/a/${one[0]!.name}/fin`);
  assert.deepEqual(await gone(), files.slice(1));
  transfers.published(`ParquetFile/b/${one[0]!.name}/fin`);
  assert.deepEqual(await gone(), files);
});

test('the same file asked for again under the same id is pinned once', async () => {
  const { transfers, files, gone } = await rig();
  const one = files.slice(0, 1);
  transfers.order('a', 'vehicle', one);
  assert.deepEqual(await gone(), files.slice(1));
  transfers.order('a', 'vehicle', one);
  assert.deepEqual(await gone(), files.slice(1), 'not for a moment without a pin');
  assert.equal(transfers.outstanding, 1);
  transfers.published(`ParquetFile/a/${one[0]!.name}/fin`);
  assert.deepEqual(await gone(), files);
});

test('without a client, orders wait for one', async () => {
  const { transfers, files, gone, orders, client } = await rig();
  client.there = false;
  transfers.order('a', 'vehicle', files.slice(0, 2));
  transfers.order('b', 'vehicle', files.slice(2));
  assert.deepEqual(orders, []);
  assert.deepEqual(await gone(), []);
  transfers.ready();
  assert.deepEqual(orders, []);
  client.there = true;
  transfers.ready();
  transfers.ready();
  assert.deepEqual(namesOf(orders), [
    ['a', 1000, 1002],
    ['b', 1004],
  ]);
});

test('what a client that has gone did not end is asked for again, once it is back', async () => {
  const { transfers, files, orders, client } = await rig();
  transfers.order('a', 'vehicle', files);
  transfers.order('b', 'vehicle', files.slice(0, 1));
  transfers.published(`ParquetFile/a/${files[1]!.name}/fin`);
  orders.length = 0;
  client.there = false;
  transfers.gone();
  transfers.gone();
  assert.deepEqual(orders, []);
  client.there = true;
  transfers.ready();
  assert.deepEqual(namesOf(orders), [
    ['a', 1000, 1004],
    ['b', 1000],
  ]);
  transfers.ready();
  assert.equal(orders.length, 2);
});

test('another client takes over at once where there is one', async () => {
  const { transfers, files, orders } = await rig();
  transfers.order('a', 'vehicle', files);
  orders.length = 0;
  transfers.gone();
  assert.deepEqual(namesOf(orders), [['a', 1000, 1002, 1004]]);
});

test('pin keeps files without an order, and lets them go once', async () => {
  const { transfers, files, gone } = await rig();
  const [first, second] = [transfers.pin(files), transfers.pin(files)];
  first();
  first();
  assert.deepEqual(await gone(), []);
  second();
  assert.deepEqual(await gone(), files);
});
