import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entryOf, Ledger, type Seen } from '../../src/cli/demo/ledger.js';

/** Two publishers, `a` on two topics; `seen` as a perfect broker gives it back. */
function published(): { ledger: Ledger; seen: Seen[] } {
  const ledger = new Ledger();
  const seen: Seen[] = [];
  for (let i = 0; i < 10; i++) {
    const publisher = i % 3 === 0 ? 'b' : 'a';
    const topic = publisher === 'b' ? 'b/x' : `a/${i % 2}`;
    const entry = entryOf(topic, i % 3, Buffer.from(`payload ${i}`), i % 2 ? 'text/plain' : undefined);
    ledger.add(publisher, entry);
    seen.push({ ...entry, key: 100 + i });
  }
  return { ledger, seen };
}

const difference = (change: (seen: Seen[]) => Seen[]) => {
  const { ledger, seen } = published();
  return ledger.expected(() => true).difference(change(seen));
};

test('what came back as it was published does not differ', () => {
  assert.equal(
    difference((seen) => seen),
    null,
  );
  assert.equal(
    difference((seen) => seen.map((one) => ({ ...one, key: null }))),
    null,
  );
  const { ledger, seen } = published();
  const onlyB = ledger.expected((topic) => topic.startsWith('b/'));
  assert.equal(onlyB.count, 4);
  assert.equal(onlyB.difference(seen.filter(({ topic }) => topic === 'b/x')), null);
  assert.equal(ledger.last('a/0')?.sha256, seen[8].sha256);
});

test('every kind of difference is found', () => {
  const changed = (what: Partial<Seen>) => difference((seen) => seen.with(4, { ...seen[4], ...what }));
  assert.match(difference((seen) => seen.slice(0, -1))!, /b: 3 of 4 messages/);
  assert.match(difference((seen) => seen.toSpliced(4, 1))!, /a, message 2: /);
  assert.match(difference((seen) => [...seen, { ...seen[9], key: 200 }])!, /b: more than the 4/);
  assert.match(difference((seen) => seen.with(5, { ...seen[5], key: 104 }))!, /key 104 follows 104/);
  assert.match(
    difference((seen) => seen.with(1, { ...seen[2], key: 101 }).with(2, { ...seen[1], key: 102 }))!,
    /a, /,
  );
  assert.match(changed({ topic: 'c' })!, /c does not belong here/);
  assert.match(changed({ topic: 'a/1' })!, /topic is a\/1, not a\/0/);
  assert.match(changed({ qos: 2 })!, /qos is 2, not 1/);
  assert.match(changed({ contentType: 'x' })!, /contentType is x, not null/);
  assert.match(changed({ sha256: '00' })!, /sha256 is 00/);
  assert.match(difference(() => [])!, /0 of/);
});
