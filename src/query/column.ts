/** One column of one row group of a Parquet file. */
import {
  type ColumnMetaData,
  type FileMetaData,
  parquetSchema,
  type RowGroup,
  readColumnIndex,
  readOffsetIndex,
} from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { compressors, parsers } from './decoding.js';
import type { FileBytes } from './file-bytes.js';
import { type Decoder, decodeDictionary, decodePage, rowsOf, type Values } from './page.js';

/** Where a data page lies; `row` and `end` count from the start of the row group, `end` is excluded. */
interface Page {
  readonly offset: number;
  readonly bytes: number;
  readonly row: number;
  readonly end: number;
}

/** A forward cursor: holds the values of one page, and decodes a page only when a row of it is asked for. */
export class Column {
  readonly #file: FileBytes;
  readonly #chunk: RowGroup['columns'][number];
  readonly #meta: ColumnMetaData;
  readonly #rows: number;
  readonly #decoder: Decoder;
  #pages: readonly Page[] | null = null;
  #dictionary: Values | undefined;
  #values: ArrayLike<unknown> = [];
  #at = 0;
  #row = 0;
  #end = 0;

  /** Throws if the group has no such flat column. */
  constructor(file: FileBytes, metadata: FileMetaData, group: RowGroup, name: string) {
    const root = parquetSchema(metadata);
    const leaf = root.children.find(({ element }) => element.name === name);
    const chunk = group.columns.find(({ meta_data: meta }) => meta?.path_in_schema[0] === name);
    const flat = leaf?.children.length === 0 && leaf.element.repetition_type !== 'REPEATED';
    if (!flat || !chunk?.meta_data) throw new Error(`it has no usable column ${name}`);
    const { type, codec } = chunk.meta_data;
    // Keys stay as they are stored, as BigInts: only the few that are looked at become numbers.
    const raw = type === 'INT64' ? { converted_type: undefined, logical_type: undefined } : {};
    this.#file = file;
    this.#chunk = chunk;
    this.#meta = chunk.meta_data;
    this.#rows = Number(group.num_rows);
    this.#decoder = {
      pathInSchema: [name],
      type,
      element: { ...leaf.element, ...raw },
      schemaPath: [root, leaf],
      codec,
      parsers,
      compressors,
      utf8: false,
    };
  }

  /** The row after the last one that `value` answers for now. */
  get end(): number {
    return this.#end;
  }

  /** `null` stands for none. For rows from the last `load(row)` up to `end`. */
  value(row: number): unknown {
    const value = this.#values[row - this.#row];
    if (value === undefined) throw new Error(`row ${row} has no value of ${this.#decoder.pathInSchema}`);
    return value;
  }

  /** Decodes the page of `row`, if that is not done; `row` never goes back. */
  async load(row: number): Promise<void> {
    if (row < this.#end) return;
    const pages = await this.#layout();
    while (this.#at < pages.length && pages[this.#at].end <= row) this.#at++;
    const page = pages[this.#at];
    if (page === undefined)
      throw new Error(`its column ${this.#decoder.pathInSchema} ends before row ${row}`);
    const bytes = await this.#file.slice(page.offset, page.offset + page.bytes);
    this.#values = decodePage(bytes, page.end - page.row, this.#decoder, this.#dictionary);
    this.#row = page.row;
    this.#end = page.end;
  }

  /** A number of an ascending INT64 column; `NaN` for anything else. As `value`. */
  number(row: number): number {
    const value = this.#values[row - this.#row];
    return typeof value === 'bigint' ? Number(value) : Number.NaN;
  }

  /** The first row with a value of at least `least`, in an ascending INT64 column; loads its page. */
  async seek(least: number): Promise<number> {
    let row = await this.#seekPage(least);
    if (row === this.#rows) return row;
    await this.load(row);
    for (let end = this.#end; row < end; ) {
      const middle = (row + end) >>> 1;
      if (this.number(middle) < least) row = middle + 1;
      else end = middle;
    }
    return row;
  }

  /** First row of the first page with a value of at least `least`, by the page index; 0 without one. */
  async #seekPage(least: number): Promise<number> {
    const { column_index_offset: offset, column_index_length: length } = this.#chunk;
    if (!offset || !length) return 0;
    const view = new DataView(await this.#file.slice(Number(offset), Number(offset) + length));
    const { max_values: highest } = readColumnIndex({ view, offset: 0 }, this.#decoder.element, parsers);
    const pages = await this.#layout();
    if (highest.length !== pages.length) throw new Error('its indexes of pages do not agree');
    const found = highest.findIndex((value) => Number(value) >= least);
    return found === -1 ? this.#rows : pages[found].row;
  }

  /** All pages, once; reads the dictionary on the way. */
  async #layout(): Promise<readonly Page[]> {
    if (this.#pages !== null) return this.#pages;
    const start = Number(this.#meta.dictionary_page_offset || this.#meta.data_page_offset);
    const starts = (await this.#indexed()) ?? (await this.#walked(start));
    const pages = starts.map((page, i) => ({ ...page, end: starts[i + 1]?.row ?? this.#rows }));
    if (pages[0]?.row !== 0 || !pages.every(({ row, end }) => row <= end))
      throw new Error('its pages are out of order');
    if (start < pages[0].offset) {
      this.#dictionary = decodeDictionary(await this.#file.slice(start, pages[0].offset), this.#decoder);
    }
    this.#pages = pages;
    return pages;
  }

  async #indexed(): Promise<Omit<Page, 'end'>[] | null> {
    const { offset_index_offset: offset, offset_index_length: length } = this.#chunk;
    if (!offset || !length) return null;
    const view = new DataView(await this.#file.slice(Number(offset), Number(offset) + length));
    return readOffsetIndex({ view, offset: 0 }).page_locations.map((page) => ({
      offset: Number(page.offset),
      bytes: page.compressed_page_size,
      row: Number(page.first_row_index),
    }));
  }

  /** For files of other writers: a walk from header to header. */
  async #walked(start: number): Promise<Omit<Page, 'end'>[]> {
    const view = new DataView(
      await this.#file.slice(start, start + Number(this.#meta.total_compressed_size)),
    );
    const pages: Omit<Page, 'end'>[] = [];
    const reader = { view, offset: 0 };
    for (let row = 0; reader.offset < view.byteLength; ) {
      const at = reader.offset;
      const header = parquetHeader(reader);
      if (!(header.compressed_page_size >= 0)) throw new Error('a page has no length');
      reader.offset += header.compressed_page_size;
      const rows = rowsOf(header);
      if (rows !== undefined) pages.push({ offset: start + at, bytes: reader.offset - at, row });
      row += rows ?? 0;
    }
    return pages;
  }
}
