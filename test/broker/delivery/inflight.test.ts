import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Delivery } from '../../../src/broker/delivery/backlog.js';
import { Inflight } from '../../../src/broker/delivery/inflight.js';
import { generator } from '../../catalog/generator.js';

test('identifiers are 1 to 65,535 and not in use, however often they have gone round', () => {
  const random = generator(1);
  const inflight = new Inflight();
  const used = new Set<number>();
  for (let i = 0; i < 200_000; i++) {
    const id = inflight.add(null);
    assert.ok(id >= 1 && id <= 65_535 && !used.has(id), `${id}`);
    used.add(id);
    if (used.size < 1000) continue;
    for (const one of used) {
      if (random() < 0.5) continue;
      assert.equal(inflight.remove(one), null);
      used.delete(one);
      break;
    }
  }
  assert.equal(inflight.size, used.size);
});

test('what is going to be sent again keeps its identifier from others until it is sent', () => {
  const inflight = new Inflight();
  const delivery = {} as Delivery;
  inflight.reserve(1);
  inflight.reserve(2);
  assert.equal(inflight.add(null), 3);
  assert.equal(inflight.get(1), undefined);
  inflight.addAgain(1, delivery);
  assert.equal(inflight.get(1), delivery);
  inflight.addAgain(2, null);
  inflight.remove(2);
  for (let i = 4; i <= 65_535; i++) assert.equal(inflight.add(null), i);
  assert.equal(inflight.add(null), 2);
  assert.equal(inflight.remove(1), delivery);
  assert.equal(inflight.remove(1), undefined);
  assert.equal(inflight.add(null), 1);
});
