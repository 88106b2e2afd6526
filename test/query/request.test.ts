import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRequest, type RequestOp, requestId } from '../../src/query/request.js';

const NOW = 1_732_330_000_000_000;
/** Keys are an hour ahead of the wall clock. */
const KEY = NOW + 3_600_000_000;
const MOMENT = { wall: NOW, key: KEY };
const OPS: readonly RequestOp[] = ['search', 'replay', 'flush', 'files'];
const bytes = (text: string) => new TextEncoder().encode(text);
const parse = <Op extends RequestOp>(op: Op, json: unknown) =>
  parseRequest(op, bytes(JSON.stringify(json)), MOMENT);
const ALL = [{ start: 0, end: Number.MAX_SAFE_INTEGER }];

test('what is left out has its default', () => {
  const common = { id: 'r1', stream: 'vehicle' };
  const timed = { ...common, ranges: ALL, time: 'wall' };
  assert.deepEqual(parse('search', common), { op: 'search', ...timed, topic: null, limit: null });
  assert.deepEqual(parse('replay', common), { op: 'replay', ...timed, topic: null, limit: null, rate: 0 });
  assert.deepEqual(parse('files', common), { op: 'files', ...timed });
  assert.deepEqual(parse('flush', common), { op: 'flush', ...common });
});

test('every key is taken over, times are resolved', () => {
  const request = {
    id: 'A-z_9',
    stream: 'vehicle',
    ranges: [
      { start: '-10m', end: 'now' },
      { start: '2024-11-23T02:46:40.000001Z', end: NOW + 5 },
      { end: 7 },
      {},
    ],
    time: 'key',
    topic: 'vehicle/+/#',
    limit: 3,
    rate: 0.5,
  };
  const ranges = [
    { start: KEY - 600_000_000, end: KEY },
    { start: NOW + 1, end: NOW + 5 },
    { start: 0, end: 7 },
    ...ALL,
  ];
  assert.deepEqual(parse('replay', request), { op: 'replay', ...request, ranges });
});

test('times before now are of the kind that the request is in', () => {
  const ranges = [{ start: '-1s' }, { end: 'now' }];
  for (const [time, now] of [
    ['wall', NOW],
    ['key', KEY],
  ] as const) {
    const request = parse('files', { id: 'r1', stream: 'vehicle', ranges, time });
    assert.deepEqual(request.ranges, [
      { start: now - 1_000_000, end: now },
      { start: 0, end: now },
    ]);
  }
});

test('the type follows the operation', () => {
  const request = parseRequest('replay', bytes('{"id":"a","stream":"b"}'), MOMENT);
  const rate: number = request.rate;
  assert.equal(rate, 0);
});

test('what is not a JSON object', () => {
  const inputs = ['', '{', 'null', '5', '"text"', '[{"id":"r1"}]', '{"id":"r1"} x', "{'id':'r1'}"];
  for (const op of OPS) {
    for (const text of inputs) {
      assert.throws(() => parseRequest(op, bytes(text), MOMENT), { code: 'REQUEST_NOT_JSON' }, text);
    }
  }
  const broken = Buffer.from('{"id":"r1","stream":"\xff"}', 'latin1');
  assert.throws(() => parseRequest('flush', broken, MOMENT), { code: 'REQUEST_NOT_JSON' });
});

test('a request is at most 256 KiB', () => {
  const padded = (length: number) => bytes('{"id":"r1","stream":"vehicle"}'.padEnd(length));
  assert.equal(parseRequest('flush', padded(256 * 1024), MOMENT).id, 'r1');
  const tooLong = padded(256 * 1024 + 1);
  assert.throws(() => parseRequest('flush', tooLong, MOMENT), {
    code: 'REQUEST_NOT_JSON',
    message: /262145 bytes/,
  });
  assert.equal(requestId(tooLong), null);
});

const BAD_IDS = [undefined, null, 5, '', 'a'.repeat(65), 'a/b', 'a b', '+', '#', 'ü', 'a\n', ['a'], { a: 1 }];

test('a bad id comes before anything else that is wrong', () => {
  for (const op of OPS) {
    for (const id of BAD_IDS) {
      assert.throws(() => parse(op, { id, nonsense: 1 }), { code: 'REQUEST_BAD_ID' }, String(id));
    }
  }
});

test('the id of a bad request is found if it is usable', () => {
  assert.equal(requestId(bytes('{"id":"r1","nonsense":1}')), 'r1');
  assert.equal(requestId(bytes(`{"id":"${'a'.repeat(64)}"}`)), 'a'.repeat(64));
  for (const id of BAD_IDS) assert.equal(requestId(bytes(JSON.stringify({ id }))), null, String(id));
  for (const text of ['', '{', 'null', '[]', '"r1"', '{"__proto__":{"id":"r1"}}']) {
    assert.equal(requestId(bytes(text)), null, text);
  }
});

test('an unknown key is named, with those that are known', () => {
  const cases: [RequestOp, string, RegExp][] = [
    [
      'search',
      '{"id":"a","stream":"b","rate":1}',
      /no key "rate"; known are id, stream, ranges, time, topic, limit$/,
    ],
    ['replay', '{"id":"a","stream":"b","Topic":"x"}', /no key "Topic"; known are .*, rate$/],
    ['flush', '{"id":"a","stream":"b","ranges":[{}]}', /no key "ranges"; known are id, stream$/],
    ['files', '{"id":"a","stream":"b","topic":"x"}', /no key "topic"; known are id, stream, ranges, time$/],
    [
      'search',
      '{"id":"a","stream":"b","ranges":[{},{"from":1}]}',
      /"ranges\[1\]" has no key "from"; known are start, end$/,
    ],
    ['search', '{"id":"a","stream":"b","__proto__":{"limit":1}}', /no key "__proto__"/],
    ['search', '{"id":"a","stream":"b","ranges":[{"__proto__":1}]}', /no key "__proto__"/],
    ['search', '{"id":"a","stream":"b","constructor":1}', /no key "constructor"/],
  ];
  for (const [op, text, message] of cases) {
    assert.throws(() => parseRequest(op, bytes(text), MOMENT), { code: 'REQUEST_INVALID', message }, text);
  }
});

test('a wrong value is named, with what would be right', () => {
  const cases: [object, RegExp][] = [
    [{ stream: undefined }, /"stream" is missing; it must be a text/],
    [{ stream: 5 }, /"stream" must be a text, not 5/],
    [{ stream: null }, /"stream" must be a text, not null/],
    [{ stream: 'x'.repeat(257) }, /"stream" is too long/],
    [{ ranges: 5 }, /"ranges" must be a list, not 5/],
    [{ ranges: {} }, /"ranges" must be a list, not an object/],
    [{ ranges: [[]] }, /"ranges\[0\]" must be an object, not a list/],
    [{ ranges: [{ start: true }] }, /"ranges\[0\].start" must be a time \(microseconds .*, not true/],
    [{ ranges: [{}, { end: null }] }, /"ranges\[1\].end" must be a time .*, not null/],
    [{ time: 'utc' }, /"time" must be one of wall, key, not "utc"/],
    [{ topic: 5 }, /"topic" must be a text, not 5/],
    [{ topic: '' }, /"topic" "" is no topic filter: .* at least one character/],
    [{ topic: 'a/#/b' }, /"topic" "a\/#\/b" is no topic filter/],
    [{ topic: 'a+' }, /is no topic filter/],
    [{ limit: 0 }, /"limit" must be at least 1, not 0/],
    [{ limit: 1.5 }, /"limit" must be a whole number, not 1.5/],
    [{ limit: '5' }, /"limit" must be a number, not "5"/],
    [{ limit: 2 ** 60 }, /"limit" is too long or too large/],
    [{ rate: -1 }, /"rate" must be at least 0, not -1/],
    [{ rate: '1' }, /"rate" must be a number, not "1"/],
  ];
  for (const [wrong, message] of cases) {
    const request = { id: 'a', stream: 'b', ...wrong };
    assert.throws(
      () => parse('replay', request),
      { code: 'REQUEST_INVALID', message },
      JSON.stringify(wrong),
    );
  }
  const endless = bytes('{"id":"a","stream":"b","rate":1e999}');
  assert.throws(() => parseRequest('replay', endless, MOMENT), {
    code: 'REQUEST_INVALID',
    message: /not Infinity/,
  });
});

test('a bad range is named', () => {
  const cases: [string, RegExp][] = [
    ['[]', /has 0 entries/],
    [`[${Array(1001).fill('{}').join()}]`, /has 1001 entries/],
    [`[${Array(1001).fill('5').join()}]`, /has 1001 entries/],
    ['[{"start":2,"end":1}]', /ranges\[0\] starts after its end: 2 > 1/],
    ['[{},{"start":"now","end":"-1us"}]', /ranges\[1\] starts after its end/],
    [`[{"start":${NOW + 1}}]`, /ranges\[0\] starts after its end/],
    ['[{"start":"yesterday"}]', /ranges\[0\].start: "yesterday" is not a time/],
    ['[{"end":-1}]', /ranges\[0\].end: -1 is not between/],
    ['[{"end":1.5}]', /ranges\[0\].end: 1.5 is not a time/],
    ['[{"end":9007199254740992}]', /ranges\[0\].end: 9007199254740992 is not between/],
    ['[{"end":1e999}]', /ranges\[0\].end: Infinity is not a time/],
  ];
  for (const [ranges, message] of cases) {
    const request = bytes(`{"id":"a","stream":"b","ranges":${ranges}}`);
    for (const op of ['search', 'replay', 'files'] as const) {
      assert.throws(
        () => parseRequest(op, request, MOMENT),
        { code: 'REQUEST_BAD_RANGE', message },
        ranges.slice(0, 99),
      );
    }
  }
  const most = { id: 'a', stream: 'b', ranges: Array(1000).fill({}) };
  assert.equal(parseRequest('search', bytes(JSON.stringify(most)), MOMENT).ranges.length, 1000);
});

test('hostile shapes end in a short error, without deep recursion', () => {
  const depth = 100_000;
  const deep = '['.repeat(depth) + ']'.repeat(depth);
  const many = Array.from({ length: 15_000 }, (_, i) => `"key${i}":${i}`).join();
  const long = JSON.stringify('x'.repeat(200_000));
  for (const part of [
    `"topic":${deep}`,
    `"ranges":[${deep}]`,
    `"limit":${deep}`,
    many,
    `"time":${long}`,
    `${long}:1`,
  ]) {
    const request = bytes(`{"id":"a","stream":"b",${part}}`);
    assert.throws(
      () => parseRequest('replay', request, MOMENT),
      (error: Error & { code: string }) => error.code === 'REQUEST_INVALID' && error.message.length < 400,
      part.slice(0, 40),
    );
  }
});
