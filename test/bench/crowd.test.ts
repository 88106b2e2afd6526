import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crowdFilters, crowdShare } from '../../bench/load/crowd.js';
import { distinctTopic, type FlowPlan } from '../../bench/load/plan.js';
import { filterFault, topicMatcher } from '../../src/topics.js';

const TOPICS = 600;
const PLAN: FlowPlan = {
  port: 0,
  publishers: 1,
  subscribers: 1,
  qos: 0,
  payloadBytes: 64,
  topic: 'bench',
  topics: TOPICS,
  messages: TOPICS,
  seconds: 1,
};

test('what reaches the crowd is as many messages as its filters match', () => {
  const crowd = { clients: 4, filters: 100, matching: 7 };
  const filters = crowdFilters(PLAN, crowd);
  assert.deepEqual(
    filters.map(({ length }) => length),
    [25, 25, 25, 25],
  );
  const all = filters.flat();
  assert.equal(new Set(all).size, 100);
  for (const filter of all) assert.equal(filterFault(filter), null, filter);
  const matchers = all.map(topicMatcher);
  let matched = 0;
  for (let sent = 1; sent <= TOPICS; sent++) {
    const topic = distinctTopic('bench', 0, sent - 1);
    matched += matchers.filter((matches) => matches(topic)).length;
    assert.equal(crowdShare(PLAN, crowd, sent), matched, `after ${sent}`);
  }
  assert.equal(matched, 7);
});
