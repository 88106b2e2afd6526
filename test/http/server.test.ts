import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createApp } from '../../src/app/app.js';
import type { ConfigInput } from '../../src/config/schema.js';
import { MqttStreamError } from '../../src/errors.js';
import { HttpInterface } from '../../src/http/server.js';
import { createLog } from '../../src/log.js';

async function app(t: TestContext, more: ConfigInput = {}, prepare = async (_folder: string) => {}) {
  const folder = await mkdtemp(join(tmpdir(), 'mqtt-stream-http-'));
  await prepare(folder);
  const log = createLog({ level: 'silent', format: 'text' }, () => {});
  const running = await createApp(
    {
      dataDir: join(folder, 'data'),
      listeners: [{ port: 0 }],
      http: { port: 0 },
      streams: [{ name: 'vehicle', topics: ['vehicle/#'], flush: { every: 0, idle: 0 } }],
      transfer: { embedded: false },
      ...more,
    },
    { log },
  );
  t.after(async () => {
    await running.close();
    await rm(folder, { recursive: true, force: true });
  });
  return { app: running, url: running.http?.url ?? '', log, folder };
}

const errorOf = async (response: Response) =>
  ((await response.json()) as { error: { code: string } }).error.code;

test('healthz and readyz of a running broker', async (t) => {
  const { url } = await app(t);
  const health = await fetch(`${url}/healthz`);
  assert.equal(health.status, 200);
  assert.deepEqual(await health.json(), { status: 'ok' });
  const ready = await fetch(`${url}/readyz?verbose`);
  assert.equal(ready.status, 200);
  assert.deepEqual(await ready.json(), { status: 'ready', failing: [] });
});

test('readyz is 503 while starting and stopping; healthz is not', async (t) => {
  const { app: running, log } = await app(t);
  let state: 'starting' | 'ready' | 'stopping' = 'starting';
  const { broker, clock, requests, streams, transfers } = running;
  const bridges = { all: () => [] };
  const parts = { bridges, broker, clock, log, requests, streams, transfers, state: () => state };
  const http = await HttpInterface.start({ host: '127.0.0.1', port: 0 }, parts);
  t.after(() => http.close());
  for (state of ['starting', 'stopping'] as const) {
    const ready = await fetch(`${http.url}/readyz`);
    assert.equal(ready.status, 503);
    assert.deepEqual(await ready.json(), { status: state, failing: [] });
    assert.equal((await fetch(`${http.url}/healthz`)).status, 200);
  }
  state = 'ready';
  assert.equal((await fetch(`${http.url}/readyz`)).status, 200);
});

test('readyz lists streams that cannot be written, and stays 200', async (t) => {
  const obstacleIn = (folder: string) => join(folder, 'data', 'streams', 'vehicle');
  const prepare = async (folder: string) => {
    await mkdir(dirname(obstacleIn(folder)), { recursive: true });
    await writeFile(obstacleIn(folder), '');
  };
  const { app: running, url, folder } = await app(t, {}, prepare);
  await running.publish({ topic: 'vehicle/a', payload: 'x' });
  assert.equal((await running.request('flush', { id: 'f', stream: 'vehicle' })).error?.code, 'FLUSH_FAILED');
  const ready = await fetch(`${url}/readyz`);
  assert.equal(ready.status, 200);
  assert.deepEqual(await ready.json(), { status: 'ready', failing: ['vehicle'] });
  await rm(obstacleIn(folder));
  assert.equal((await running.request('flush', { id: 'f', stream: 'vehicle' })).ok, true);
  assert.deepEqual(await (await fetch(`${url}/readyz`)).json(), { status: 'ready', failing: [] });
});

test('other paths are 404, other methods 405, always as JSON', async (t) => {
  const { url } = await app(t);
  for (const path of ['/', '/healthz/', '/HEALTHZ', '/metrics/x', '/__proto__', '/%2e%2e/', '/<script>']) {
    const response = await fetch(url + path);
    assert.equal(response.status, 404, path);
    assert.equal(await errorOf(response), 'HTTP_NOT_FOUND');
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    const response = await fetch(`${url}/metrics`, { method });
    assert.equal(response.status, 405, method);
    assert.equal(response.headers.get('allow'), 'GET, HEAD');
    assert.equal(await errorOf(response), 'HTTP_METHOD');
  }
});

test('HEAD is GET without the body', async (t) => {
  const { url } = await app(t);
  const head = await fetch(`${url}/healthz`, { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(head.headers.get('content-length'), '16');
  assert.equal(await head.text(), '');
});

test('every answer says what it is, and what it is not', async (t) => {
  const { url } = await app(t);
  for (const path of ['/healthz', '/readyz', '/metrics', '/none']) {
    const { headers } = await fetch(url + path);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('cache-control'), 'no-store');
    assert.match(headers.get('content-security-policy')!, /default-src 'none'/);
    assert.match(
      headers.get('content-type')!,
      path === '/metrics' ? /^text\/plain; version=/ : /^application\/json/,
    );
  }
});

test('a body is not read: the connection ends with the answer', async (t) => {
  const { url } = await app(t);
  const answered = await new Promise<string | undefined>((resolve, reject) => {
    const asking = request(`${url}/healthz`, { method: 'POST', headers: { 'content-length': 1e9 } });
    asking.on('response', (response) => {
      response.resume();
      response.on('end', () => resolve(response.headers.connection));
    });
    asking.on('error', reject);
    asking.flushHeaders();
  });
  assert.equal(answered, 'close');
});

test('a head that is too large is refused', async (t) => {
  const { url } = await app(t);
  const { status } = await fetch(`${url}/healthz`, { headers: { 'x-long': 'a'.repeat(10_000) } });
  assert.equal(status, 431);
});

test('a port in use is PORT_IN_USE, and nothing runs or is held then', async (t) => {
  const { app: first, folder } = await app(t);
  const config = {
    dataDir: join(folder, 'other'),
    listeners: [{ port: 0 }],
    http: { port: first.http!.port },
    log: { level: 'silent' as const },
  };
  const inUse = (error: unknown) => error instanceof MqttStreamError && error.code === 'PORT_IN_USE';
  await assert.rejects(createApp(config), inUse);
  const second = await createApp({ ...config, http: { port: 0 } });
  assert.notEqual(second.http!.port, first.http!.port);
  await second.close();
  await assert.rejects(fetch(`${second.http!.url}/healthz`));
});

test('http.enabled: false', async (t) => {
  const { app: running } = await app(t, { http: { enabled: false } });
  assert.equal(running.http, null);
});
