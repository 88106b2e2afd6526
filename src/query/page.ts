/** One page of a flat column: from bytes to values. */
import { assembleLists } from 'hyparquet/src/assemble.js';
// Not of hyparquet's front page: its public readers decode whole ranges of rows, and a page at the edge of two
// ranges twice. Here a page is the unit of work, so that several files can be read in turns.
import { parquetHeader, readPage } from 'hyparquet/src/column.js';
import { convert, convertWithDictionary } from 'hyparquet/src/convert.js';
import { decompressPage, readDataPage } from 'hyparquet/src/datapage.js';
import { readVarInt } from 'hyparquet/src/thrift.js';

export type Decoder = Parameters<typeof readPage>[2];
export type Values = NonNullable<Parameters<typeof readPage>[3]>;
type Header = ReturnType<typeof parquetHeader>;
type DataHeader = Parameters<typeof readDataPage>[1];

/** Values in a page; a flat column has one a row, nulls included. Undefined for a dictionary. */
export function rowsOf(header: Header): number | undefined {
  return (header.data_page_header ?? header.data_page_header_v2)?.num_values;
}

export function decodeDictionary(bytes: ArrayBuffer, decoder: Decoder): Values | undefined {
  const reader = { view: new DataView(bytes), offset: 0 };
  const header = parquetHeader(reader);
  const count = header.dictionary_page_header?.num_values ?? 0;
  if (count > header.uncompressed_page_size) throw new Error('a dictionary is shorter than it says');
  const { data } = readPage(reader, header, decoder, undefined, undefined, 0);
  return data && convert(data, decoder);
}

/** The values of a page of `rows` rows; `null` stands for none. */
export function decodePage(bytes: ArrayBuffer, rows: number, decoder: Decoder, dictionary?: Values): Values {
  const reader = { view: new DataView(bytes), offset: 0 };
  const header = parquetHeader(reader);
  // Before the values: their count is what the decoder allocates by.
  if (rowsOf(header) !== rows) throw new Error('a page says another number of rows than its column');
  const compressed = new Uint8Array(bytes, reader.offset, header.compressed_page_size);
  const [page, data] = header.data_page_header
    ? [inflated(compressed, header.uncompressed_page_size, decoder), header.data_page_header]
    : asFirstVersion(compressed, header, decoder);
  checkRuns(page, data, decoder);
  const { definitionLevels, repetitionLevels, dataPage } = readDataPage(page, data, decoder);
  const found = convertWithDictionary(dataPage, dictionary, data.encoding, decoder);
  const values = assembleLists([], definitionLevels, repetitionLevels ?? [], found, decoder.schemaPath);
  if (values.length !== rows) throw new Error('a page holds another number of rows than it says');
  return values;
}

function inflated(bytes: Uint8Array, length: number, { codec, compressors }: Decoder): Uint8Array {
  return decompressPage(bytes, length, codec, compressors);
}

/** A page of the second version, laid out as one of the first: the levels are within, behind their length. */
function asFirstVersion(bytes: Uint8Array, header: Header, decoder: Decoder): [Uint8Array, DataHeader] {
  const second = header.data_page_header_v2!;
  const { definition_levels_byte_length: levels, repetition_levels_byte_length: repetition } = second;
  const rest = bytes.subarray(repetition + levels);
  const length = header.uncompressed_page_size - repetition - levels;
  const values = second.is_compressed === false ? rest : inflated(rest, length, decoder);
  const before = isOptional(decoder) ? 4 + levels : 0;
  const page = new Uint8Array(before + values.length);
  if (before > 0) {
    new DataView(page.buffer).setUint32(0, levels, true);
    page.set(bytes.subarray(repetition, repetition + levels), 4);
  }
  page.set(values, before);
  const { num_values, encoding } = second;
  return [page, { num_values, encoding, definition_level_encoding: 'RLE', repetition_level_encoding: 'RLE' }];
}

/**
 * Refuses runs that are longer than the page. The decoder would write them all, and an array that outgrows V8's
 * limits ends the whole process, not only this thread.
 */
function checkRuns(page: Uint8Array, { encoding, num_values: rows }: DataHeader, decoder: Decoder): void {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  let at = 0;
  if (isOptional(decoder)) at = checkHybrid(view, 4, 4 + view.getUint32(0, true), 1, rows);
  if (encoding === 'RLE') checkHybrid(view, at + 4, view.byteLength, 1, rows);
  else if (encoding.endsWith('_DICTIONARY'))
    checkHybrid(view, at + 1, view.byteLength, view.getUint8(at), rows);
}

/** Walks over one sequence of runs of values of `width` bits, and answers where it ends. */
function checkHybrid(view: DataView, start: number, end: number, width: number, rows: number): number {
  const reader = { view, offset: start };
  for (let seen = 0; width > 0 && seen < rows && reader.offset < end; ) {
    const run = readVarInt(reader);
    const count = run & 1 ? (run >>> 1) * 8 : run >>> 1;
    if ((run & 1) === 0 && count > rows) throw new Error('a run of values is longer than its page');
    reader.offset += run & 1 ? (run >>> 1) * width : Math.ceil(width / 8);
    seen += count;
  }
  return end;
}

function isOptional({ element }: Decoder): boolean {
  return element.repetition_type !== 'REQUIRED';
}
