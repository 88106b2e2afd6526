import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networkOf } from '../../src/broker/address.js';

test('an IPv4 address is one address, however it is written', () => {
  assert.equal(networkOf('10.0.0.1'), '10.0.0.1');
  assert.equal(networkOf('::ffff:10.0.0.1'), '10.0.0.1');
  assert.equal(networkOf('::FFFF:127.0.0.1'), '127.0.0.1');
});

test('an IPv6 address counts as its /64', () => {
  const cases: [address: string, network: string][] = [
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['2001:db8:0:0:1::', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['1::2:3:4:5:6:7', '1:0:2:3::/64'],
  ];
  for (const [address, network] of cases) assert.equal(networkOf(address), network, address);
  assert.notEqual(networkOf('2001:db8:1:2::1'), networkOf('2001:db8:1:3::1'));
});
