import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CertificateAuthenticator } from '../../../src/broker/access/certificate.js';
import { credentials } from './credentials.js';

test('the user is whom the certificate names, whatever the client calls itself', async () => {
  const certificate = { commonName: 'ecu-1', altNames: ['DNS:ecu-1.vehicle', 'DNS:other'] };
  const asked = credentials({ user: 'root', password: 'x', certificate });
  assert.deepEqual(await new CertificateAuthenticator('cn').authenticate(asked), {
    allowed: true,
    user: 'ecu-1',
  });
  assert.deepEqual(await new CertificateAuthenticator('san').authenticate(asked), {
    allowed: true,
    user: 'DNS:ecu-1.vehicle',
  });
});

test('without a certificate, or with one that names nobody, others decide', async () => {
  for (const userFrom of ['cn', 'san'] as const) {
    const link = new CertificateAuthenticator(userFrom);
    assert.equal(await link.authenticate(credentials({ user: 'root' })), null);
    for (const commonName of [null, '']) {
      const certificate = { commonName, altNames: [] };
      assert.equal(await link.authenticate(credentials({ certificate })), null);
    }
  }
});
