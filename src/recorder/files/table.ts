import {
  Binary,
  Bool,
  Dictionary,
  Field,
  Int32,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  Timestamp,
  TimeUnit,
  Utf8,
  Vector,
} from 'apache-arrow';
import type { BatchColumns } from '../batch.js';
import type { BinaryView } from '../binary.js';

const TS = new Timestamp(TimeUnit.MICROSECOND, 'UTC');
const TOPIC = new Dictionary(new Utf8(), new Int32(), 0);
const CLIENT = new Dictionary(new Utf8(), new Int32(), 1);

const SCHEMA = new Schema([
  new Field('ts', TS, false),
  new Field('topic', TOPIC, false),
  new Field('client_id', CLIENT, true),
  new Field('qos', new Int32(), false),
  new Field('retain', new Bool(), false),
  new Field('properties', new Utf8(), true),
  new Field('payload', new Binary(), false),
]);

/** The columns as an Arrow table, copying nothing: builders would cost 25-50 times as much. */
export function arrowTable(columns: BatchColumns): Table {
  const { rows: length, codes } = columns;
  // Arrow's IPC writer joins neighbouring buffers that overlap in memory: codes shared by both would be lost once.
  const clientCodes = codes.slice();
  const children = [
    makeData({ type: TS, length, data: columns.keys }),
    makeData({ type: TOPIC, length, data: codes, dictionary: dictionary(columns.names, columns.topics) }),
    makeData({
      type: CLIENT,
      length,
      data: clientCodes,
      dictionary: dictionary(columns.names, columns.clients),
    }),
    makeData({ type: new Int32(), length, data: columns.qos }),
    makeData({ type: new Bool(), length, data: columns.retain }),
    makeData({ type: new Utf8(), length, ...columns.properties }),
    makeData({ type: new Binary(), length, ...columns.payload }),
  ];
  const struct = makeData({ type: new Struct(SCHEMA.fields), length, nullCount: 0, children });
  return new Table(SCHEMA, new RecordBatch(SCHEMA, struct));
}

function dictionary(length: number, view: BinaryView): Vector<Utf8> {
  return new Vector([makeData({ type: new Utf8(), length, ...view })]);
}
