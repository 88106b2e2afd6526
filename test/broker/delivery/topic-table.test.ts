import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TopicTable } from '../../../src/broker/delivery/topic-table.js';
import { generator } from '../../catalog/generator.js';

test('a topic is found again by its bytes, wherever they lie', () => {
  const table = new TopicTable(10);
  const names = ['a', 'a/b', 'ä/€/😀', '__proto__', 'constructor', 'x'.repeat(256)];
  // Those that come once are not remembered.
  for (const name of names) assert.notEqual(table.named(name), table.named(name));
  assert.equal(table.size, names.length);
  const topics = names.map((name) => table.named(name));
  assert.deepEqual(
    topics.map(({ name }) => name),
    names,
  );
  for (const [index, name] of names.entries()) {
    const bytes = Buffer.from(`noise${name}noise`);
    assert.equal(table.read(bytes, 5, Buffer.byteLength(name)), topics[index]);
    bytes.fill(0);
    assert.equal(Buffer.from(topics[index].utf8).toString(), name);
  }
});

test('what is known of a topic: its faults, and whether it is the broker’s own', () => {
  const table = new TopicTable(3);
  assert.equal(table.named('a/b/c').fault, null);
  assert.match(table.named('a/b/c/d').fault!.text, /more than 3 levels/);
  assert.match(table.named('a/#').fault!.text, /MQTT-3.3.2-2/);
  assert.equal(table.read(Buffer.of(0xff), 0, 1).fault!.reason, 0x81);
  assert.ok(table.named('$SYS/x').own && table.named('MQfile/r/1').own);
  assert.ok(!table.named('$other').own && !table.named('vehicle').own);
});

test('a flood of random topics does not fill the memory, nor drive out those in use', () => {
  const table = new TopicTable(10);
  const random = generator(5);
  for (let n = 0; n < 50; n++) table.named(`in/use/${n}`);
  const used = Array.from({ length: 50 }, (_, n) => table.named(`in/use/${n}`));
  for (let i = 0; i < 200_000; i++) {
    // Every other one comes twice.
    for (let again = 0; again <= i % 2; again++) table.named(`flood/${i}/${random()}`);
    const n = i % used.length;
    assert.equal(table.named(`in/use/${n}`), used[n]);
  }
  assert.ok(table.size <= 32_768, `${table.size}`);
  for (let i = 0; i < 1000; i++) table.named(`${i}${'y'.repeat(300)}`);
  assert.ok(table.size <= 32_768);
});
