import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fifo } from '../../../src/broker/delivery/fifo.js';
import { generator } from '../../catalog/generator.js';

for (const seed of [1, 2, 3]) {
  test(`a queue like an array's, seed ${seed}`, () => {
    const random = generator(seed);
    const fifo = new Fifo<number>();
    let model: number[] = [];
    let grow = true;
    for (let i = 0; i < 50_000; i++) {
      if (i % 5000 === 0) grow = random() < 0.6;
      if (random() < (grow ? 0.7 : 0.3)) {
        fifo.push(i);
        model.push(i);
      } else if (random() < 0.0005) {
        fifo.clear();
        model = [];
      } else {
        assert.equal(fifo.first, model[0]);
        assert.equal(fifo.shift(), model.shift());
      }
      assert.equal(fifo.length, model.length);
      if (i % 997 === 0) assert.deepEqual([...fifo], model);
    }
    while (model.length > 0) assert.equal(fifo.shift(), model.shift());
    assert.equal(fifo.shift(), undefined);
    assert.equal(fifo.first, undefined);
    assert.equal(fifo.length, 0);
  });
}
