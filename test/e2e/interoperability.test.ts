import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { startBroker } from './process.js';

const run = promisify(execFile);
const NO_MOSQUITTO =
  spawnSync('mosquitto_pub', ['--help']).error === undefined
    ? false
    : 'the clients of mosquitto are not installed (Debian: mosquitto-clients)';

const PYTHON = '/usr/bin/python3';
const NO_PAHO =
  spawnSync(PYTHON, ['-c', 'import paho.mqtt.client']).status === 0
    ? false
    : "Python's paho is not installed (Debian: python3-paho-mqtt)";

test("Python's paho, every version and QoS, over tcp and WebSocket", { skip: NO_PAHO }, async (t) => {
  const broker = await startBroker(t, []);
  const ports = [broker.tcp, broker.ws].map((url) => new URL(url).port);
  const { stdout } = await run(PYTHON, [join(process.cwd(), 'test/e2e/paho_client.py'), ...ports]);
  assert.equal(stdout.trim().split('\n').length, 6);
});

for (const version of ['mqttv31', 'mqttv311', 'mqttv5']) {
  for (const qos of ['0', '1', '2']) {
    test(`mosquitto's clients, ${version}, QoS ${qos}`, { skip: NO_MOSQUITTO }, async (t) => {
      const broker = await startBroker(t, [{ name: 'vehicle', topics: ['vehicle/#'] }]);
      const port = new URL(broker.tcp).port;
      const common = ['-h', '127.0.0.1', '-p', port, '-V', version, '-q', qos];
      const subscriber = spawn('mosquitto_sub', [
        ...common,
        '-t',
        'vehicle/#',
        '-t',
        'ready',
        '-C',
        '101',
        '-F',
        '%q %t %p',
      ]);
      t.after(() => subscriber.kill());
      const subscriberEnded = once(subscriber, 'close');
      const got: string[] = [];
      const lines = createInterface({ input: subscriber.stdout });
      lines.on('line', (line) => got.push(line));
      // A retained message tells that the subscription stands.
      await run('mosquitto_pub', [...common, '-r', '-t', 'ready', '-m', 'yes']);
      while (!got.includes(`${qos} ready yes`)) await once(lines, 'line');
      const payloads = Array.from({ length: 100 }, (_, i) => `payload ${i}`);
      const publisher = spawn('mosquitto_pub', [...common, '-t', 'vehicle/speed', '-l']);
      publisher.stdin.end(`${payloads.join('\n')}\n`);
      await Promise.all([once(publisher, 'exit'), subscriberEnded]);
      assert.deepEqual(
        got.slice(1),
        payloads.map((payload) => `${qos} vehicle/speed ${payload}`),
      );

      const replay = spawn('mosquitto_sub', [...common, '-t', 'MQfile/m/#', '-C', '100', '-F', '%q %t %p']);
      t.after(() => replay.kill());
      const again: string[] = [];
      createInterface({ input: replay.stdout }).on('line', (line) => again.push(line));
      const result = spawn('mosquitto_sub', [...common, '-t', '$STREAM/result/m', '-C', '1']);
      t.after(() => result.kill());
      const request = '{"id":"m","stream":"vehicle","topic":"vehicle/speed"}';
      // Asked again until both listen: a request tells nobody who is not there.
      const ended = once(replay, 'close');
      let over = false;
      void ended.then(() => {
        over = true;
      });
      while (!over) await run('mosquitto_pub', [...common, '-t', '$STREAM/replay', '-m', request]);
      assert.deepEqual(
        again.map((line) => line.replace(/MQfile\/m\/\d{16}\//, '')),
        payloads.map((payload) => `${qos} vehicle/speed ${payload}`),
      );
    });
  }
}
