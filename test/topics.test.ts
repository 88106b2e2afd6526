import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  filterFault,
  isOwnTopic,
  lengthFault,
  sharedFilter,
  subscribedFault,
  topicFault,
  topicMatcher,
  topicTail,
} from '../src/topics.js';
import { generator } from './catalog/generator.js';

/** MQTT 5, section 4.7, level by level. */
function plainMatch(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false;
  const rest = (f: string[], t: string[]): boolean => {
    if (f.length === 0) return t.length === 0;
    if (f[0] === '#') return true;
    if (t.length === 0) return false;
    return (f[0] === '+' || f[0] === t[0]) && rest(f.slice(1), t.slice(1));
  };
  return rest(filter.split('/'), topic.split('/'));
}

const LEVELS = ['', 'a', 'b', 'ab', 'a b', '$', '$SYS', 'é', '😀', '日', 'constructor'];

test('filters match what the specification says, level by level', () => {
  const random = generator(60);
  const pick = (from: readonly string[]) => from[Math.floor(random() * from.length)]!;
  const levels = (from: readonly string[]) =>
    Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(from));
  let matched = 0;
  for (let i = 0; i < 40_000; i++) {
    const few = random() < 0.7 ? LEVELS.slice(0, 3) : LEVELS;
    const topic = levels(few).join('/');
    const parts = levels([...few, '+', '+']);
    if (random() < 0.3) parts[random() < 0.5 ? parts.length : parts.length - 1] = '#';
    const filter = parts.join('/');
    if (topic === '' || filter === '') continue;
    assert.equal(filterFault(filter), null, filter);
    const expected = plainMatch(filter, topic);
    assert.equal(topicMatcher(filter)(topic), expected, `${filter} and ${topic}`);
    if (expected) matched++;
  }
  assert.ok(matched > 3000, `${matched}`);
});

test('the examples of the specification', () => {
  const cases: [filter: string, yes: string[], no: string[]][] = [
    ['sport/tennis/player1/#', ['sport/tennis/player1', 'sport/tennis/player1/score/wimbledon'], ['sport']],
    ['sport/#', ['sport', 'sport/'], ['sports', 'Sport']],
    ['#', ['a', '/', '/a/b', 'a/$SYS'], ['$SYS', '$SYS/a', '$']],
    ['sport/tennis/+', ['sport/tennis/player1', 'sport/tennis/'], ['sport/tennis', 'sport/tennis/a/b']],
    ['sport/+', ['sport/'], ['sport']],
    ['+/+', ['/finance', '/', 'a/b'], ['a', '$SYS/a', 'a/b/c']],
    ['/+', ['/finance', '/'], ['finance', '/a/b']],
    ['+', ['finance', 'a'], ['/finance', '$SYS']],
    ['+/x', ['/x', 'a/x'], ['x', '$a/x']],
    ['+/#', ['a', '/', 'a/b/c'], ['$SYS', '$SYS/a']],
    ['+/monitor/Clients', ['a/monitor/Clients'], ['$SYS/monitor/Clients']],
    ['$SYS/#', ['$SYS', '$SYS/', '$SYS/a'], ['$SYSTEM', 'SYS']],
    ['$SYS/monitor/+', ['$SYS/monitor/Clients'], ['$SYS/monitor']],
    ['/', ['/'], ['a', '//', 'a/']],
    ['a//b', ['a//b'], ['a/b', 'a/x/b']],
    ['/#', ['/', '/a', '//'], ['a', 'a/']],
    ['a/+/#', ['a/', 'a/b', 'a/b/c'], ['a']],
  ];
  for (const [filter, yes, no] of cases) {
    assert.equal(filterFault(filter), null);
    const matches = topicMatcher(filter);
    for (const topic of yes) assert.ok(matches(topic), `${filter} matches ${topic}`);
    for (const topic of no) assert.ok(!matches(topic), `${filter} does not match ${topic}`);
  }
});

test('a filter is well-formed or has its fault named', () => {
  const grammar = /^(?:(?:\+|[^+#/\0]*)\/)*(?:\+|#|[^+#/\0]*)$/;
  const random = generator(61);
  const letters = [...'aé//++#$\0'];
  let good = 0;
  for (let i = 0; i < 20_000; i++) {
    const length = Math.floor(random() * 7);
    let filter = '';
    for (let j = 0; j < length; j++) filter += letters[Math.floor(random() * letters.length)];
    const wellFormed = filter !== '' && grammar.test(filter);
    assert.equal(filterFault(filter) === null, wellFormed, JSON.stringify(filter));
    if (wellFormed) good++;
    const publishable = filter !== '' && !/[+#\0]/.test(filter);
    assert.equal(topicFault(filter) === null, publishable, JSON.stringify(filter));
  }
  assert.ok(good > 2000, `${good}`);
  assert.match(filterFault('')!, /MQTT-4\.7\.3-1/);
  assert.match(filterFault('a\0')!, /MQTT-4\.7\.3-2/);
  assert.match(filterFault('a/#/b')!, /MQTT-4\.7\.1-1/);
  assert.match(filterFault('a/b#')!, /MQTT-4\.7\.1-1/);
  assert.match(filterFault('a+/b')!, /MQTT-4\.7\.1-2/);
  assert.match(topicFault('')!, /MQTT-4\.7\.3-1/);
  assert.match(topicFault('\0')!, /MQTT-4\.7\.3-2/);
  assert.match(topicFault('a/+')!, /MQTT-3\.3\.2-2/);
});

test('topics and filters have at most 65,535 bytes of UTF-8', () => {
  const most = ['x'.repeat(65_535), 'é'.repeat(32_767), '日'.repeat(21_845), '😀'.repeat(16_383)];
  // The last is what 30,000 bytes that are no UTF-8 are decoded to.
  const more = ['x'.repeat(65_536), 'é'.repeat(32_768), '日'.repeat(21_846), '\uFFFD'.repeat(30_000)];
  for (const fault of [topicFault, filterFault]) {
    for (const text of most) assert.equal(fault(text), null);
    for (const text of more) assert.match(fault(text)!, /MQTT-4\.7\.3-3/);
  }
});

test("the broker's own topics are four roots and all below", () => {
  for (const root of ['$SYS', '$STREAM', 'MQfile', 'ParquetFile']) {
    for (const own of [root, `${root}/`, `${root}/a`, `${root}//`]) assert.ok(isOwnTopic(own), own);
    for (const other of [
      `${root}s`,
      `${root}s/a`,
      `/${root}/a`,
      `a/${root}`,
      root.slice(0, -1),
      root.toLowerCase(),
    ])
      assert.ok(!isOwnTopic(other), other);
    // A subscription to everything of one gets nothing from elsewhere.
    const matches = topicMatcher(`${root}/#`);
    for (const topic of [root, `${root}/`, `${root}/a/b`, `${root}s`, 'a'])
      assert.equal(isOwnTopic(topic), matches(topic));
  }
  for (const other of ['a', '/', '$', 'M', 'P', 'vehicle/MQfile', '$share/g/a'])
    assert.ok(!isOwnTopic(other));
});

test('a shared subscription has a group and a filter', () => {
  assert.deepEqual(sharedFilter('$share/g/a/+/#'), { group: 'g', filter: 'a/+/#' });
  assert.deepEqual(sharedFilter('$share/__proto__//'), { group: '__proto__', filter: '/' });
  for (const good of ['$share/g/#', '$share/g//', '$share/$share/$SYS/#', '$share/é/+', 'a/#', '$share']) {
    assert.equal(subscribedFault(good), null, good);
  }
  for (const plain of ['$share', '$shared/g/a', 'share/g/a', '/$share/g/a', '$SHARE/g/a']) {
    assert.equal(sharedFilter(plain), null, plain);
  }
  const bad = ['$share/', '$share/g', '$share/g/', '$share//a', '$share/+/a', '$share/#', '$share/g#/a'];
  for (const one of [
    ...bad,
    '$share/g/a#',
    '$share/g/a/#/b',
    '$share/g\0/a',
    `$share/g/${'a'.repeat(65_530)}`,
  ]) {
    assert.equal(typeof subscribedFault(one), 'string', one.slice(0, 20));
  }
});

test('lengths are counted in UTF-8', () => {
  for (const [text, bytes] of [
    ['', 0],
    ['abc', 3],
    ['é', 2],
    ['日本', 6],
    ['😀', 4],
  ] as const) {
    assert.equal(lengthFault(text, bytes), null);
    if (bytes > 0) assert.match(lengthFault(text, bytes - 1)!, new RegExp(`more than ${bytes - 1} bytes`));
  }
});

test('a client id as the end of a topic', () => {
  assert.equal(topicTail('a/b'), 'a/b');
  assert.equal(topicTail('+/#\0'), '_/__');
  assert.equal(topicTail(''), '_');
  assert.equal(topicFault(`$STREAM/result/${topicTail('日'.repeat(65_535))}`), null);
});
