import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressMatcher, isLocalAddress } from '../src/addresses.js';

test('addresses of this machine', () => {
  for (const address of ['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1']) {
    assert.ok(isLocalAddress(address), address);
  }
  for (const address of [
    '10.0.0.1',
    '::ffff:10.0.0.1',
    '1127.0.0.1',
    'fe80::1',
    '12.127.0.1',
    '',
    undefined,
  ]) {
    assert.ok(!isLocalAddress(address), address);
  }
});

test('a range holds the addresses in it, an address itself', () => {
  const cases: [string, string[], string[]][] = [
    ['10.1.0.0/16', ['10.1.0.0', '10.1.255.255', '::ffff:10.1.2.3'], ['10.2.0.0', '::1', '', 'x', '10.1.0']],
    ['10.1.2.3', ['10.1.2.3', '::ffff:10.1.2.3'], ['10.1.2.4']],
    ['0.0.0.0/0', ['10.1.2.3'], ['fe80::1']],
    ['fe80::/10', ['fe80::1', 'fe80::1%eth0', 'febf::1'], ['fec0::1', '127.0.0.1']],
    ['::1', ['::1'], ['::2', '127.0.0.1']],
  ];
  for (const [range, inside, outside] of cases) {
    const matches = addressMatcher(range)!;
    for (const address of inside) assert.ok(matches(address), `${range} ${address}`);
    for (const address of outside) assert.ok(!matches(address), `${range} ${address}`);
  }
});

test('what is no range', () => {
  for (const text of [
    '',
    'x',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0/8',
    '::/129',
    '1.1.1.1/8/8',
    '/8',
  ]) {
    assert.equal(addressMatcher(text), null, text);
  }
});
