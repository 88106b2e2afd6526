import {
  type DuckDBBlobValue,
  type DuckDBConnection,
  DuckDBInstance,
  DuckDBTimestampTZValue,
  type DuckDBValue,
} from '@duckdb/node-api';
import type { Message } from '../src/ring/record.js';
import { check } from './question.js';
import { clientOf, keyOf, payloadOf, qosOf, type Rows, retainOf, topicOf } from './rows.js';

const COLUMNS = 'ts, topic, client_id, qos, retain, properties, payload';
/** Rows appended before they are handed over. */
const APPEND_ROWS = 50_000;

/** DuckDB in this process, in memory: a peer, and the judge of what others have written. */
export class DuckDb {
  readonly #connection: DuckDBConnection;
  readonly #instance: DuckDBInstance;
  #expected = '';

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance;
    this.#connection = connection;
  }

  static async open(): Promise<DuckDb> {
    const instance = await DuckDBInstance.create(':memory:');
    return new DuckDb(instance, await instance.connect());
  }

  /** Makes these rows its table `rows`. */
  async load(rows: Rows): Promise<void> {
    await this.#connection.run(`CREATE OR REPLACE TABLE rows (ts TIMESTAMPTZ NOT NULL, topic VARCHAR NOT NULL, client_id VARCHAR,
      qos INTEGER NOT NULL, retain BOOLEAN NOT NULL, properties VARCHAR, payload BLOB NOT NULL)`);
    const appender = await this.#connection.createAppender('rows');
    for (let row = 0; row < rows.count; row++) {
      appender.appendTimestampTZ(new DuckDBTimestampTZValue(BigInt(keyOf(row))));
      appender.appendVarchar(topicOf(row));
      appender.appendVarchar(clientOf(row));
      appender.appendInteger(qosOf(row));
      appender.appendBoolean(retainOf(row));
      appender.appendNull();
      appender.appendBlob(payloadOf(rows, row));
      appender.endRow();
      if (row % APPEND_ROWS === 0) appender.flushSync();
    }
    appender.closeSync();
    this.#expected = await this.#sum('rows', 'epoch_us(ts)');
  }

  /** Writes its table, with all cores. */
  async copy(path: string, codec: string): Promise<void> {
    await this.#connection.run(`COPY rows TO '${path}' (FORMAT parquet, COMPRESSION ${codec})`);
  }

  /**
   * Throws `CheckFailed` unless the files hold exactly the rows of its table. `key`: microseconds of column `ts`.
   */
  async verify(paths: readonly string[], key = 'epoch_us(ts)'): Promise<void> {
    const files = `read_parquet([${paths.map((path) => `'${path}'`).join(', ')}], hive_partitioning = false)`;
    check('rows and checksum of the files', await this.#sum(files, key), this.#expected);
  }

  /** How many rows the files have, and how many keys. `files`: may have `*`. */
  async count(files: string): Promise<{ rows: number; keys: number }> {
    const from = `read_parquet('${files}', hive_partitioning = false)`;
    const sql = `SELECT count(*)::INTEGER, count(DISTINCT ts)::INTEGER FROM ${from}`;
    const [[rows, keys]] = await this.#rows(sql);
    return { rows: rows as number, keys: keys as number };
  }

  /** Of all messages of a topic in files: how many there are, and the last one's payload. `files`: may have `*`. */
  async lastOf(files: string, topic: string): Promise<{ count: number; payload: Uint8Array }> {
    const from = `read_parquet('${files}', hive_partitioning = false)`;
    const sql = `SELECT count(*)::INTEGER, arg_max(payload, ts) FROM ${from} WHERE topic = '${topic}'`;
    const [[count, payload]] = await this.#rows(sql);
    return { count: count as number, payload: (payload as DuckDBBlobValue).bytes };
  }

  /** The messages with keys from `start` to `end`; to be made of DuckDB's values by the function. */
  async range(from: string, start: number, end: number): Promise<() => Message[]> {
    const condition = `ts BETWEEN ${timestamp(start)} AND ${timestamp(end)}`;
    const found = await this.#rows(`SELECT ${COLUMNS} FROM ${from} WHERE ${condition} ORDER BY ts`);
    return () => found.map(messageOf);
  }

  close(): void {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }

  /** Count and a checksum of every column of every row. */
  async #sum(from: string, key: string): Promise<string> {
    const sql = `SELECT count(*), bit_xor(hash(${COLUMNS.replace('ts', key)})) FROM ${from}`;
    const [row] = await this.#rows(sql);
    return row.join(' rows, ');
  }

  async #rows(sql: string): Promise<DuckDBValue[][]> {
    return (await this.#connection.runAndReadAll(sql)).getRows();
  }
}

function messageOf(values: readonly DuckDBValue[]): Message {
  const [ts, topic, clientId, qos, retain, properties, payload] = values;
  return {
    key: Number((ts as DuckDBTimestampTZValue).micros),
    topic: topic as string,
    clientId: clientId as string,
    qos: qos as 0 | 1 | 2,
    retain: retain as boolean,
    properties: properties as string | null,
    payload: (payload as DuckDBBlobValue).bytes,
  };
}

/** A key as a literal of the type of column `ts`. */
function timestamp(key: number): string {
  const seconds = Math.floor(key / 1e6);
  const micros = String(key - seconds * 1e6).padStart(6, '0');
  const text = new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ');
  return `TIMESTAMPTZ '${text}.${micros}+00'`;
}
