import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Gap } from '../../src/exchange/gaps.js';
import type { Stream } from '../../src/exchange/stream.js';
import { generator } from '../catalog/generator.js';
import { whole } from '../ring/samples.js';
import {
  contentsOf,
  exchangeOf,
  FakeRecorder,
  payloadsOf,
  publication,
  Router,
  streamOf,
} from './fixture.js';

const EVERYTHING = [{ start: 0, end: Number.MAX_SAFE_INTEGER }];

for (const whenFull of ['flush', 'return', 'drop-oldest', 'reject'] as const) {
  test(`${whenFull}: a message larger than the ring is routed, counted and a gap, whether that is empty or full`, () => {
    const stream = streamOf('all', { messages: 2, bytes: 4096, whenFull });
    const exchange = exchangeOf(stream);
    const router = new Router(exchange, 10);
    const publisher = exchange.origin('p');
    const large = publication('t', Buffer.alloc(5000));
    assert.equal(router.publish(publisher, large), true);
    router.publish(publisher, publication('t', 'a'));
    router.publish(publisher, publication('t', 'b'));
    assert.equal(router.publish(publisher, large), true);
    assert.equal(router.publish(publisher, large), true);
    assert.deepEqual(payloadsOf(stream), ['a', 'b']);
    assert.equal(stream.stats.tooLarge, 3);
    assert.equal(stream.stats.captured, 2);
    assert.deepEqual(stream.gapsWithin(EVERYTHING), [
      { start: 10, end: 10, messages: 1, reason: 'too-large' },
      { start: 13, end: 14, messages: 2, reason: 'too-large' },
    ]);
    // It is not the publisher's fault: nobody is told 0x97.
    assert.deepEqual(
      router.routed.map(({ taken }) => taken),
      [true, true, true, true, true],
    );
  });
}

test('reject: the publisher is told, others that have room take the message', () => {
  const [full, other] = [streamOf('full', { messages: 2, whenFull: 'reject' }), streamOf('other')];
  const exchange = exchangeOf(full, other);
  const router = new Router(exchange, 1);
  const publisher = exchange.origin('p');
  for (const payload of ['1', '2', '3', '4']) router.publish(publisher, publication('t', payload));
  assert.deepEqual(
    router.routed.map(({ taken }) => taken),
    [true, true, false, false],
  );
  assert.deepEqual(payloadsOf(other), ['1', '2', '3', '4']);
  assert.equal(full.stats.refused, 2);
  assert.deepEqual(full.gapsWithin(EVERYTHING), [{ start: 3, end: 4, messages: 2, reason: 'rejected' }]);
  assert.deepEqual(full.gapsWithin([{ start: 0, end: 2 }]), []);
});

test('drop-oldest: what the recorder has is being written, then in a file; what it has not is a gap', () => {
  const stream = streamOf('all', { messages: 4, whenFull: 'drop-oldest' });
  const exchange = exchangeOf(stream);
  const router = new Router(exchange, 1);
  const publisher = exchange.origin('p');
  const publish = (count: number) => {
    for (let i = 0; i < count; i++) router.publish(publisher, publication('t', `${router.nextKey}`));
  };
  const recorder = new FakeRecorder(stream);
  publish(4);
  recorder.take(2);
  publish(3);
  const dropped: Gap = { start: 3, end: 3, messages: 1, reason: 'dropped' };
  assert.deepEqual(stream.gapsWithin(EVERYTHING), [
    { start: 1, end: 2, messages: 2, reason: 'being-written' },
    dropped,
  ]);
  assert.equal(stream.stats.dropped, 1);
  const report = recorder.write();
  recorder.take(2);
  publish(2);
  assert.deepEqual(stream.gapsWithin(EVERYTHING)[2], {
    start: 4,
    end: 5,
    messages: 2,
    reason: 'being-written',
  });
  report();
  assert.deepEqual(stream.gapsWithin(EVERYTHING), [
    dropped,
    { start: 4, end: 5, messages: 2, reason: 'being-written' },
  ]);
  assert.deepEqual(recorder.die(), [4, 5]);
  assert.deepEqual(stream.gapsWithin(EVERYTHING), [
    dropped,
    { start: 4, end: 5, messages: 2, reason: 'lost' },
  ]);
  assert.equal(stream.stats.dropped, 3);
  assert.deepEqual(payloadsOf(stream), ['6', '7', '8', '9']);
});

test('drop-oldest: messages kept between two drops part their gaps', () => {
  const stream = streamOf('all', { messages: 2, whenFull: 'drop-oldest' });
  const exchange = exchangeOf(stream);
  const router = new Router(exchange, 1);
  const publisher = exchange.origin('p');
  const recorder = new FakeRecorder(stream);
  const publish = (count: number) => {
    for (let i = 0; i < count; i++) router.publish(publisher, publication('t'));
  };
  publish(4);
  recorder.take(2);
  recorder.commit();
  publish(3);
  assert.deepEqual(stream.gapsWithin(EVERYTHING), [
    { start: 1, end: 2, messages: 2, reason: 'dropped' },
    { start: 5, end: 5, messages: 1, reason: 'dropped' },
  ]);
  assert.deepEqual(stream.gapsWithin([{ start: 3, end: 4 }]), []);
});

test('drop-oldest and too-large: gaps stay few however the two interleave', () => {
  const stream = streamOf('all', { messages: 8, bytes: 4096, whenFull: 'drop-oldest' });
  const exchange = exchangeOf(stream);
  const router = new Router(exchange, 1);
  const publisher = exchange.origin('p');
  for (let i = 0; i < 500; i++) {
    if (i % 100 === 50) router.publish(publisher, publication('t', Buffer.alloc(5000)));
    router.publish(publisher, publication('t', 'x'));
  }
  assert.equal(stream.stats.dropped, 492);
  const gaps = stream.gapsWithin(EVERYTHING);
  assert.deepEqual(
    gaps.map(({ reason, messages }) => `${reason} ${messages}`),
    ['dropped 492', 'too-large 1', 'too-large 1', 'too-large 1', 'too-large 1', 'too-large 1'],
  );
});

/** Every key given is in a file, in the ring or in exactly one gap of its reason; and gaps hold no other key. */
function assertAccounted(
  stream: Stream,
  recorder: FakeRecorder,
  keys: readonly number[],
  reasons: Map<number, string>,
) {
  const ring = contentsOf(stream).map(({ key }) => key);
  const kept = new Set([...recorder.files, ...ring]);
  assert.equal(kept.size, recorder.files.length + ring.length, 'no key is in a file and in the ring');
  const gaps = stream.gapsWithin(EVERYTHING);
  assert.deepEqual(
    gaps,
    [...gaps].sort((a, b) => a.start - b.start),
  );
  const missing = keys.filter((key) => !kept.has(key));
  assert.equal(
    gaps.reduce((sum, { messages }) => sum + messages!, 0),
    missing.length,
  );
  for (const gap of gaps) {
    const within = keys.filter((key) => key >= gap.start && key <= gap.end);
    assert.deepEqual(
      within.filter((key) => kept.has(key)),
      [],
      `${JSON.stringify(gap)} covers what is there`,
    );
    const own = within.filter((key) => (reasons.get(key) ?? gap.reason) === gap.reason);
    assert.equal(own.length, gap.messages, JSON.stringify(gap));
  }
}

for (const whenFull of ['drop-oldest', 'reject'] as const) {
  test(`${whenFull}: what is missing is counted exactly and gaps say so, whatever the recorder does when`, () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = generator(seed);
      const stream = streamOf('all', { messages: whole(random, 2, 12), bytes: 4096, whenFull });
      const exchange = exchangeOf(stream);
      const router = new Router(exchange, 1);
      const publisher = exchange.origin('p');
      const recorder = new FakeRecorder(stream);
      const keys: number[] = [];
      const reasons = new Map<number, string>();
      // Reports of files that are written but not heard of.
      const reports: (() => void)[] = [];
      let lost = 0;
      for (let step = 0; step < 250; step++) {
        const what = random();
        if (what < 0.6) {
          const tooLarge = random() < 0.05;
          const key = router.nextKey;
          keys.push(key);
          const { refused } = stream.stats;
          router.publish(publisher, publication('t', Buffer.alloc(tooLarge ? 5000 : whole(random, 0, 900))));
          if (tooLarge) reasons.set(key, 'too-large');
          if (stream.stats.refused > refused) reasons.set(key, 'rejected');
        } else if (what < 0.8) recorder.take(whole(random, 1, 6));
        else if (what < 0.9) reports.push(recorder.write());
        else if (what < 0.98) reports.shift()?.();
        else {
          // The thread's last words arrive before the news of its end.
          for (const report of reports.splice(0)) report();
          for (const key of recorder.die()) {
            lost++;
            reasons.set(key, 'lost');
          }
        }
        if (reports.length === 0) {
          const beingWritten = stream
            .gapsWithin(EVERYTHING)
            .filter(({ reason }) => reason === 'being-written');
          for (const { messages } of beingWritten) assert.ok(messages! <= recorder.batch.length);
        }
      }
      for (const report of reports) report();
      recorder.commit();
      const { captured, dropped, refused, tooLarge } = stream.stats;
      assert.equal(captured + refused + tooLarge, keys.length);
      assert.equal(recorder.files.length + contentsOf(stream).length + dropped, captured);
      if (whenFull === 'reject') assert.equal(dropped, 0);
      else assert.equal(refused, 0);
      assert.ok(lost <= dropped);
      for (const [key, reason] of reasons) {
        if (reason === 'lost') assert.ok(!recorder.files.includes(key));
      }
      assertAccounted(stream, recorder, keys, reasons);
    }
  });
}
