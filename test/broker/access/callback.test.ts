import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { CallbackAuthenticator } from '../../../src/broker/access/callback.js';
import { Gate } from '../../../src/broker/access/gate.js';
import { credentials } from './credentials.js';

interface Service {
  readonly url: string;
  readonly bodies: string[];
  readonly faults: unknown[];
  readonly ask: (
    more?: Parameters<typeof credentials>[0],
  ) => ReturnType<CallbackAuthenticator['authenticate']>;
}

async function service(
  t: TestContext,
  answer: (response: ServerResponse, request: IncomingMessage) => void,
  timeout = 5000,
): Promise<Service> {
  const bodies: string[] = [];
  const faults: unknown[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      bodies.push(`${request.method} ${request.url} ${request.headers['content-type']} ${body}`);
      answer(response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/login`;
  const onFault = (error: unknown) => faults.push(error);
  const link = new CallbackAuthenticator({ url, timeout, gate: new Gate(4, 4), fetch, onFault });
  return { url, bodies, faults, ask: (more = {}) => link.authenticate(credentials(more)) };
}

const UNAVAILABLE = { allowed: false, reason: 0x88 };

test('the status decides; what is asked are client id, user, password and address', async (t) => {
  let status = 200;
  const { ask, bodies, faults } = await service(t, (response) => response.writeHead(status).end('{"any":1}'));
  const who = { user: 'ada', password: 'pä"ss', clientId: '__proto__' };
  for (status of [200, 204]) assert.deepEqual(await ask(who), { allowed: true, user: 'ada' });
  status = 401;
  assert.deepEqual(await ask(who), { allowed: false, reason: 0x86 });
  status = 403;
  assert.deepEqual(await ask(who), { allowed: false, reason: 0x87 });
  assert.deepEqual(faults, []);
  for (status of [400, 404, 429, 500, 503]) assert.deepEqual(await ask(who), UNAVAILABLE);
  assert.equal(faults.length, 5);
  const expected = { clientId: '__proto__', user: 'ada', password: 'pä"ss', address: '10.0.0.1' };
  assert.equal(bodies[0], `POST /login application/json ${JSON.stringify(expected)}`);
  status = 200;
  assert.deepEqual(await ask({ address: null }), { allowed: true, user: null });
  assert.match(bodies.at(-1)!, /"user":null,"password":null,"address":null/);
});

test('a redirect is not followed, wherever it leads', async (t) => {
  const { ask, bodies } = await service(t, (response) => {
    response.writeHead(307, { location: '/else' }).end();
  });
  assert.deepEqual(await ask(), UNAVAILABLE);
  assert.equal(bodies.length, 1);
});

test('an answer without end, or too late, is none', async (t) => {
  const endless = await service(t, (response) => {
    response.writeHead(200);
    const more = () => {
      while (response.write('x'.repeat(65_536)));
    };
    response.on('drain', more);
    more();
  });
  assert.deepEqual(await endless.ask(), UNAVAILABLE);
  assert.match(String(endless.faults), /more than 65536 bytes/);
  const silent = await service(t, () => {}, 20);
  assert.deepEqual(await silent.ask(), UNAVAILABLE);
  const stuck = await service(t, (response) => response.writeHead(200).flushHeaders(), 20);
  assert.deepEqual(await stuck.ask(), UNAVAILABLE);
});

test('nobody there, a broken connection, and too many at once', async (t) => {
  const broken = await service(t, (response) => response.destroy());
  assert.deepEqual(await broken.ask(), UNAVAILABLE);
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  const faults: unknown[] = [];
  const link = new CallbackAuthenticator({
    url: `http://127.0.0.1:${port}`,
    timeout: 1000,
    gate: new Gate(1, 0),
    fetch,
    onFault: (error) => faults.push(error),
  });
  const both = [link.authenticate(credentials()), link.authenticate(credentials())];
  assert.deepEqual(await Promise.all(both), [UNAVAILABLE, UNAVAILABLE]);
  assert.equal(faults.length, 1);
});

test('a password that is no text is not sent as another one', async (t) => {
  const { bodies, url } = await service(t, (response) => response.end());
  const link = new CallbackAuthenticator({
    url,
    timeout: 1000,
    gate: new Gate(1, 1),
    fetch,
    onFault: () => {},
  });
  const asked = { ...credentials({ user: 'ada' }), password: Buffer.from([0xff, 0xfe]) };
  assert.deepEqual(await link.authenticate(asked), { allowed: false, reason: 0x86 });
  assert.deepEqual(bodies, []);
});
