import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import mqtt, { type MqttClient } from 'mqtt';
import { Receiver } from '../../src/index.js';
import { createLog } from '../../src/log.js';

/** A message as an answer gave it. */
export interface Answered {
  readonly key: number;
  readonly topic: string;
  readonly qos: number;
  readonly payload: Buffer;
  /** Only files tell. */
  readonly clientId?: string | null;
}

export interface SearchResult {
  readonly ok: boolean;
  readonly op: string;
  readonly messages: { count: number; firstKey: number | null; lastKey: number | null; topic: string };
  readonly files: { name: string; bytes: number; sha256: string; rows: number; topic: string }[];
  readonly gaps: { start: number; end: number; messages: number | null; reason: string }[];
  readonly error?: { code: string; message: string };
}

export interface Answer {
  readonly result: SearchResult;
  /** By `MQfile`. */
  readonly messages: Answered[];
  /** By `ParquetFile`: the rows of the files received and verified. */
  readonly rows: Answered[];
}

/** A client that asks on `$STREAM/...` and collects everything that comes back by MQTT. */
export async function ask(
  url: string,
  verb: string,
  request: { id: string; stream: string },
  dir: string,
): Promise<Answer> {
  const log = createLog({ level: 'error', format: 'text' }, (line) => process.stderr.write(line));
  let arrived = () => {};
  const receiver = await Receiver.start({
    url,
    dir,
    filter: `ParquetFile/${request.id}/#`,
    log,
    onFile: () => arrived(),
  });
  const client = await mqtt.connectAsync(url, { protocolVersion: 5, properties: { receiveMaximum: 1000 } });
  try {
    const messages: Answered[] = [];
    const answered = new Promise<SearchResult>((resolve) => {
      client.on('message', (topic, payload, { qos }) => {
        if (topic.startsWith('$STREAM/result/')) return resolve(JSON.parse(payload.toString()));
        const [, , key, ...rest] = topic.split('/');
        messages.push({ key: Number(key), topic: rest.join('/'), qos, payload });
      });
    });
    await client.subscribeAsync([`MQfile/${request.id}/#`, `$STREAM/result/${request.id}`], { qos: 2 });
    await client.publishAsync(`$STREAM/${verb}`, JSON.stringify(request), { qos: 1 });
    const result = await answered;
    while (receiver.received.files < (verb === 'search' && result.ok ? result.files.length : 0)) {
      await new Promise<void>((resolve) => {
        arrived = resolve;
      });
    }
    const rows = receiver.received.files === 0 ? [] : await readFiles(join(dir, request.id));
    return { result, messages, rows };
  } finally {
    await client.endAsync();
    await receiver.close();
  }
}

/** All rows of the Parquet files in a folder, by DuckDB, in the order of their keys. */
export async function readFiles(folder: string, pattern = '*.parquet'): Promise<Answered[]> {
  const db = await (await DuckDBInstance.create()).connect();
  try {
    const reader = await db.runAndReadAll(
      `SELECT epoch_us(ts)::BIGINT AS key, topic, client_id, qos, payload FROM '${join(folder, pattern)}' ORDER BY ts`,
    );
    return reader.getRows().map(([key, topic, clientId, qos, payload]) => ({
      key: Number(key),
      topic: topic as string,
      clientId: clientId as string | null,
      qos: qos as number,
      payload: Buffer.from((payload as { bytes: Uint8Array }).bytes),
    }));
  } finally {
    db.closeSync();
  }
}

/** Files in a folder and all below it, relative. */
export function allFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** Publishes in order with one client and ends it when everything is acknowledged. */
export async function publishAll(
  client: MqttClient,
  messages: readonly { topic: string; payload: Buffer; qos: 0 | 1 | 2 }[],
): Promise<void> {
  await Promise.all(messages.map(({ topic, payload, qos }) => client.publishAsync(topic, payload, { qos })));
  // QoS 0 is not acknowledged, but what comes after it in order is.
  await client.publishAsync('end', '', { qos: 1 });
  await client.endAsync();
}
