import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOPS, hasPassed, withHop } from '../../src/bridge/hops.js';

test('every broker adds itself behind the others', () => {
  const once = withHop(undefined, 'a');
  assert.deepEqual(once, { userProperties: { [HOPS]: ['a'] } });
  const twice = withHop({ contentType: 'x', userProperties: { unit: 'm', [HOPS]: 'a' } }, 'b');
  assert.deepEqual(twice, { contentType: 'x', userProperties: { unit: 'm', [HOPS]: ['a', 'b'] } });
  for (const [id, passed] of [
    ['a', true],
    ['b', true],
    ['c', false],
  ] as const) {
    assert.equal(hasPassed(twice, id), passed);
  }
  assert.equal(hasPassed(undefined, 'a'), false);
  assert.equal(hasPassed({}, 'a'), false);
});

test('a user property called __proto__ is one like all others', () => {
  const hostile = JSON.parse(`{"__proto__":"x","constructor":"y"}`) as Record<string, string>;
  assert.equal(hasPassed({ userProperties: hostile }, 'x'), false);
  const { userProperties } = withHop({ userProperties: hostile }, 'a');
  assert.deepEqual(Object.keys(userProperties!).sort(), ['__proto__', 'constructor', HOPS].sort());
  assert.equal(Object.getPrototypeOf(userProperties), Object.prototype);
});
