import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rules, remapped } from '../../src/bridge/rules.js';
import { rule } from './fixture.js';

test('the first rule that matches decides', () => {
  const [one, other] = [rule('a/b/#', { qos: 0 }), rule('a/#')];
  const rules = new Rules([one, other]);
  assert.equal(rules.find('a/b/c'), one);
  assert.equal(rules.find('a/c'), other);
  assert.equal(rules.find('b'), null);
});

test('own traffic passes only where a filter names it', () => {
  const all = new Rules([rule('#'), rule('+/x/#')]);
  for (const topic of ['$SYS/uptime', '$STREAM/result/x', 'MQfile/x/1/a', 'ParquetFile/x/f/init', 'MQfile']) {
    assert.equal(all.find(topic), null, topic);
  }
  assert.notEqual(all.find('MQfiles/x'), null);
  const named = new Rules([rule('MQfile/#'), rule('$SYS/#')]);
  assert.equal(named.find('MQfile/x/1/a')?.filter, 'MQfile/#');
  assert.equal(named.find('$SYS/uptime')?.filter, '$SYS/#');
});

test('a topic gets another beginning', () => {
  const fleet = rule('vehicle/#', { remove: 'vehicle/', add: 'fleet/7/' });
  assert.equal(remapped(fleet, 'vehicle/speed'), 'fleet/7/speed');
  assert.equal(remapped(fleet, 'vehicle/vehicle/x'), 'fleet/7/vehicle/x');
  assert.equal(remapped(fleet, 'vehicle/'), 'fleet/7/');
  // Which the filter matches, too.
  assert.equal(remapped(fleet, 'vehicle'), 'fleet/7');
  assert.equal(remapped(rule('a/#', { add: 'x/' }), 'a/b'), 'x/a/b');
  assert.equal(remapped(rule('a/#', { remove: 'a/' }), 'a/b'), 'b');
  assert.equal(remapped(rule('a/#', { remove: 'a/' }), 'a'), '');
});
