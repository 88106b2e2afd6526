/** kill -9, a journal that the disk has damaged, `recover`, a start: what is gone is a gap in the answers. */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import mqtt from 'mqtt';
import { run } from '../cli/program.js';
import { ask } from './answers.js';
import { startBroker, temporaryFolder } from './process.js';

const MESSAGES = 20;

test('after recover, answers have gaps for what was in segments that could not be read', async (t) => {
  const folder = await temporaryFolder(t);
  const streams = ['whole', 'first', 'last'].map((name) => ({
    name,
    topics: [`${name}/#`],
    durability: 'process',
    flush: { every: 0, idle: 0 },
  }));
  const broker = await startBroker(t, streams, { folder });
  const client = await mqtt.connectAsync(broker.tcp, { protocolVersion: 5, reconnectPeriod: 0 });
  client.on('error', () => {});
  const publish = async (payload: string) => {
    for (const { name } of streams)
      for (let i = 0; i < MESSAGES; i++) await client.publishAsync(`${name}/n`, payload, { qos: 1 });
  };
  await publish('in a file');
  for (const { name } of streams) await ask(broker.tcp, 'flush', { id: 'flush', stream: name }, folder);
  await publish('in a journal');
  const before = await Promise.all(streams.map(({ name }) => keysOf(broker.tcp, name, folder)));
  await broker.stop('SIGKILL');
  client.end(true);

  const journal = (stream: string) => join(broker.dataDir, 'streams', stream, 'journal');
  // One is damaged that was to be in a file and removed already, the other is all that there is.
  assert.deepEqual(await readdir(journal('first')), ['0000000002.journal']);
  await writeFile(join(journal('first'), '0000000001.journal'), Buffer.alloc(4096));
  const path = join(journal('last'), '0000000002.journal');
  const bytes = await readFile(path);
  bytes[5]! ^= 1;
  await writeFile(path, bytes);

  const recovered = await run('recover', broker.dataDir, '--json');
  assert.equal(recovered.code, 0, recovered.err.join('\n'));
  assert.deepEqual(
    recovered.out
      .map((line) => JSON.parse(line))
      .map(({ stream, messages, incomplete }) => [stream, messages, incomplete]),
    [
      ['first', MESSAGES, true],
      ['last', 0, true],
      ['whole', MESSAGES, false],
    ],
  );

  const next = await startBroker(t, streams, { folder });
  const after = await Promise.all(streams.map(({ name }) => keysOf(next.tcp, name, folder)));
  const reasons = after.map(({ gaps }) => gaps.map(({ reason }) => reason));
  assert.deepEqual(reasons, [['crash'], ['unknown', 'crash'], ['crash']]);
  for (const [i, { keys, gaps }] of after.entries()) {
    const missing = before[i]!.keys.filter((key) => !keys.includes(key));
    assert.equal(missing.length, i === 2 ? MESSAGES : 0);
    for (const key of missing) assert.ok(gaps.some(({ start, end }) => start <= key && key <= end));
  }
  // Between the file and what came out of the journal.
  const { keys, gaps } = after[1]!;
  assert.deepEqual([gaps[0]!.start, gaps[0]!.end], [keys[MESSAGES - 1]! + 1, keys.at(-1)]);
});

async function keysOf(url: string, stream: string, folder: string) {
  const { messages, result } = await ask(url, 'replay', { id: `replay-${stream}`, stream }, folder);
  return { keys: messages.map(({ key }) => key), gaps: result.gaps };
}
