import assert from 'node:assert/strict';
import { test } from 'node:test';
import { covers as coversLevels, levelsOf, overlap as overlapOf } from '../../../src/broker/access/covers.js';
import { filterFault, topicMatcher } from '../../../src/topics.js';

const covers = (wide: string, narrow: string) => coversLevels(levelsOf(wide), levelsOf(narrow));
const overlap = (one: string, other: string) => overlapOf(levelsOf(one), levelsOf(other));

/** All lists of 1 to `most` of some levels, as topics or filters. */
function all(levels: readonly string[], most: number): string[] {
  const shorter = most === 1 ? [] : all(levels, most - 1);
  const longest = shorter.length === 0 ? [''] : shorter.filter((one) => one.split('/').length === most - 1);
  const next = most === 1 ? [...levels] : longest.flatMap((one) => levels.map((level) => `${one}/${level}`));
  return [...shorter, ...next];
}

test('a filter covers another one if every topic of that is one of its own, and overlaps it if one is', () => {
  // A level more than the filters have, and a level that none of them names. The empty topic, on which nobody
  // publishes, counts as one.
  const topics = all(['a', 'b', '', '$x', 'other'], 4);
  const filters = all(['a', 'b', '', '$x', '+', '#'], 3).filter((filter) => filterFault(filter) === null);
  const matched = new Map(
    filters.map((filter) => {
      const matches = topicMatcher(filter);
      return [filter, new Set(topics.filter(matches))];
    }),
  );
  let covering = 0;
  let overlapping = 0;
  for (const [wide, outer] of matched) {
    for (const [narrow, inner] of matched) {
      const expected = [...inner].every((topic) => outer.has(topic));
      assert.equal(covers(wide, narrow), expected, `${wide} covers ${narrow}`);
      if (expected) covering++;
      const common = [...inner].some((topic) => outer.has(topic));
      assert.equal(overlap(wide, narrow), common, `${wide} overlaps ${narrow}`);
      if (common) overlapping++;
    }
  }
  assert.ok(filters.length > 150 && covering > 1000 && overlapping > covering);
});

test('a topic name is covered exactly by the filters that match it', () => {
  const topics = all(['a', 'b', '', '$x', 'other'], 4).filter((topic) => topic !== '');
  const filters = all(['a', '', '$x', '+', '#'], 4).filter((filter) => filterFault(filter) === null);
  for (const filter of filters) {
    const matches = topicMatcher(filter);
    for (const topic of topics) assert.equal(covers(filter, topic), matches(topic), `${filter} ${topic}`);
  }
});

test('some that are known by heart', () => {
  const yes = [
    '# a/b',
    '# #',
    '# +/+',
    'a/# a',
    'a/# a/+/b',
    'a/# a/#',
    '+/# #',
    '+/b a/b',
    '$x/# $x/a',
    '/# /a',
  ];
  const no = [
    '# $x/a',
    '+/a $x/a',
    'a/+ a/#',
    'a/+ a',
    '+ #',
    'a/b +/b',
    'a/+/# a/#',
    'a a/b',
    'a/b a',
    '$x/# #',
  ];
  for (const pair of yes) assert.ok(covers(...(pair.split(' ') as [string, string])), pair);
  for (const pair of no) assert.ok(!covers(...(pair.split(' ') as [string, string])), pair);
});
