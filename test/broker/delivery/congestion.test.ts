import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whenOneIsRelieved } from '../../../src/broker/delivery/congestion.js';
import { Relief } from '../../../src/broker/delivery/relief.js';
import type { Route } from '../../../src/broker/delivery/router.js';

/** As many subscribers that have too much to do; the last one is a member of a shared subscription. */
function congested(count: number): { reliefs: Relief[]; free: Set<number>; route: Route } {
  const free = new Set<number>();
  const reliefs = Array.from({ length: count }, (_, n) => new Relief(() => free.has(n), 60_000));
  const targets = reliefs.map((relief, n) => ({
    session: {
      outbox: {
        onReliefOrStall: (callback: () => void) => (free.has(n) ? callback() : relief.wait(callback, true)),
        stopWaiting: (callback: () => void) => relief.cancel(callback),
      },
    },
  }));
  const shares = [{ members: targets.splice(-1) }];
  return { reliefs, free, route: { targets, shares, functions: [] } as unknown as Route };
}

test('the first that has less to do is enough, and nobody is left waiting for the others', () => {
  const { reliefs, free, route } = congested(3);
  let calls = 0;
  for (let i = 1; i <= 1000; i++) {
    whenOneIsRelieved(route, () => calls++);
    assert.equal(calls, i - 1);
    free.add(1);
    reliefs[1].look();
    free.clear();
    assert.equal(calls, i);
    assert.deepEqual(
      reliefs.map(({ waiting }) => waiting),
      [0, 0, 0],
    );
  }
});

test('one that has less to do already is enough at once', () => {
  const { reliefs, free, route } = congested(3);
  free.add(1);
  let calls = 0;
  whenOneIsRelieved(route, () => calls++);
  assert.equal(calls, 1);
  assert.ok(reliefs.every(({ waiting }) => waiting === 0));
});
