import { dirname, join } from 'node:path';
import type { Catalog } from './catalog/catalog.js';
import type { DroppedFile } from './catalog/entry.js';
import { GAPS_FILE, isStreamName, STREAMS_FOLDER, streamFolder } from './catalog/naming.js';
import { textOf } from './errors.js';
import { type GapFiles, GapLog } from './exchange/gap-log.js';
import { EMPTY_RECORD, type GapRecord, readGapRecord } from './exchange/gap-record.js';
import { type Gap, type GapReason, Gaps } from './exchange/gaps.js';
import type { Stream } from './exchange/stream.js';
import type { Logger } from './log.js';

/** Of messages in a file that is gone; not if it is there again, or still. */
const FILE_GONE: readonly GapReason[] = ['unreadable', 'deleted'];

/** The used part of `node:fs/promises`. */
export interface GapLogsFiles extends GapFiles {
  readdir(path: string): Promise<string[]>;
  readFile(path: string, encoding: 'utf8'): Promise<string>;
  copyFile(from: string, to: string): Promise<void>;
}

export interface GapLogsOptions {
  readonly dataDir: string;
  readonly catalog: Catalog;
  readonly files: GapLogsFiles;
  /** See `GapLogOptions`. */
  readonly after: (ms: number, callback: () => void) => () => void;
  readonly log: Logger;
  readonly afterCrash: boolean;
  /** No key up to this one was given by this process. */
  readonly lastKeyBefore: number;
}

/** The gaps of all streams, kept on the disk: also of those that are not running, whose files may turn out corrupt. */
export class GapLogs {
  readonly #options: GapLogsOptions;
  readonly #logs = new Map<string, GapLog>();
  /** Streams whose records may lack what was dropped or refused in the last moments before a crash. */
  readonly #behind = new Set<string>();

  private constructor(options: GapLogsOptions) {
    this.#options = options;
  }

  /** Reads what earlier processes knew. Of a damaged record a copy is kept; its gap is of unknown size. */
  static async open(options: GapLogsOptions): Promise<GapLogs> {
    const { catalog, dataDir, files } = options;
    const logs = new GapLogs(options);
    const names = await files.readdir(join(dataDir, STREAMS_FOLDER)).catch(unlessNone([]));
    await Promise.all(names.filter(isStreamName).map((name) => logs.#read(name)));
    for (const file of catalog.dropped) logs.#dropped(file);
    catalog.onDropped = (file) => logs.#dropped(file);
    return logs;
  }

  /** The gaps of a stream, which go on over all its lives. */
  of(stream: string): Gaps {
    return (this.#logs.get(stream) ?? this.#add(stream, new Gaps(), null)).gaps;
  }

  /**
   * What the process before may have lost of a stream that begins: all behind what is known. A file tells that what was
   * captured before its last key is there, but not what was dropped or refused; that, `settled` tells.
   */
  begin({ gaps, holdsPublishers, name }: Stream): void {
    const { afterCrash, lastKeyBefore: end } = this.#options;
    const filed = this.#lastFiled(name, end);
    // Without any record there was nothing to tell, or it was made by a version that kept none.
    const settled = gaps.settled ?? (this.#behind.has(name) ? -1 : filed);
    if (!holdsPublishers) this.#behind.add(name);
    const start = (this.#behind.has(name) ? settled : Math.max(filed, settled)) + 1;
    if (afterCrash && start <= end) gaps.insert({ start, end, messages: null, reason: 'crash' });
    gaps.begin(end);
  }

  /**
   * What was left of a stream is in files: what crashes took begins behind them. `incomplete`: some could not be read, so
   * between them something may be missing, too.
   */
  narrow({ gaps, name }: Stream, incomplete: boolean): void {
    for (const gap of gaps.known().gaps.filter(({ reason }) => reason === 'crash')) {
      const { start, end } = gap;
      const filed = this.#lastFiled(name, end);
      if (filed < start) continue;
      const left: Gap[] = [];
      if (incomplete || this.#behind.has(name))
        left.push({ start, end: filed, messages: null, reason: 'unknown' });
      if (filed < end) left.push({ ...gap, start: filed + 1 });
      gaps.replace(gap, left);
    }
  }

  /** All files of a stream are listed: what was restored by hand, or made again, is no gap any more. */
  loaded(stream: string): void {
    const gaps = this.#logs.get(stream)?.gaps;
    if (gaps === undefined) return;
    for (const gap of gaps.known().gaps) {
      if (FILE_GONE.includes(gap.reason) && isListed(this.#options.catalog, stream, gap.start, gap.end))
        gaps.replace(gap, []);
    }
  }

  /** For how long before this start messages of the stream may be missing, ms; 0: none are. */
  crashMs({ gaps }: Stream): number {
    const { lastKeyBefore } = this.#options;
    const gap = gaps.known().gaps.find(({ end, reason }) => reason === 'crash' && end === lastKeyBefore);
    return gap === undefined ? 0 : Math.ceil((gap.end + 1 - gap.start) / 1000);
  }

  /** Resolves when what is known of a stream is on the disk. False: it could not be written. */
  async saved(stream: string): Promise<boolean> {
    return (await this.#logs.get(stream)?.save()) ?? true;
  }

  /** Writes what is new. False: not all of it could be. */
  async close(): Promise<boolean> {
    const saved = await Promise.all([...this.#logs.values()].map((log) => log.close()));
    return saved.every((done) => done);
  }

  async #read(stream: string): Promise<void> {
    const { afterCrash, catalog, files, lastKeyBefore, log } = this.#options;
    const path = this.#path(stream);
    let record: GapRecord = EMPTY_RECORD;
    let length: number | null = null;
    let unread = false;
    try {
      const text = await files.readFile(path, 'utf8').catch(unlessNone(null));
      if (text !== null) record = readGapRecord(text);
      if (text !== null && !record.torn) length = text.length;
    } catch (error) {
      log.error({ stream, file: path, err: error }, 'the record of gaps cannot be read');
      unread = true;
    }
    // What was restored by hand is no gap any more.
    const lasting = record.gaps.filter(
      ({ start, end, reason }) => !FILE_GONE.includes(reason) || !isListed(catalog, stream, start, end),
    );
    const gaps = Gaps.restored({ ...record, gaps: lasting });
    // After a crash `settled` says from where on something may be missing.
    const damaged = record.damaged > 0 || (record.torn && !afterCrash);
    this.#add(stream, gaps, damaged || unread ? null : length);
    if (record.torn || record.growing || (afterCrash && !(await this.#syncNewest(stream))))
      this.#behind.add(stream);
    if (!damaged && !unread) return;
    gaps.insert({ start: 0, end: lastKeyBefore, messages: null, reason: 'unknown' });
    if (damaged) await this.#keepCopy(stream, path);
  }

  /**
   * A file whose process died before it was durable tells what is missing only once it is. False: a power cut may still
   * take it.
   */
  async #syncNewest(stream: string): Promise<boolean> {
    const { catalog, dataDir, files, log } = this.#options;
    const newest = catalog.files(stream).at(-1);
    if (newest === undefined) return true;
    try {
      const folder = await files.open(dirname(join(dataDir, newest.path)), 'r');
      await folder.sync().finally(() => folder.close());
      return true;
    } catch (error) {
      log.error(
        { stream, file: newest.path, error: textOf(error) },
        'the newest file may not be on the disk',
      );
      return false;
    }
  }

  /** The record itself stays until there is another one: were it moved, a crash before that would leave none, as if nothing was missing. */
  async #keepCopy(stream: string, path: string): Promise<void> {
    const { files, log } = this.#options;
    const kept = `${path}.corrupt`;
    try {
      await files.copyFile(path, kept);
      log.warn({ stream, file: path, kept }, 'a damaged record of gaps is replaced; there is a copy of it');
    } catch (error) {
      log.error({ stream, file: path, error: textOf(error) }, 'a damaged record of gaps is replaced');
    }
  }

  #add(stream: string, gaps: Gaps, length: number | null): GapLog {
    const { after, files, log } = this.#options;
    const gapLog = new GapLog({
      path: this.#path(stream),
      gaps,
      length,
      files,
      after,
      onFault: (error) => log.error({ stream, err: error }, 'the record of gaps could not be written yet'),
      onRecovered: () => log.info({ stream }, 'the record of gaps can be written again'),
    });
    this.#logs.set(stream, gapLog);
    return gapLog;
  }

  #dropped({ stream, firstKey: start, lastKey: end, rows }: DroppedFile): void {
    // One that was written again.
    if (isListed(this.#options.catalog, stream, start, end)) return;
    const gaps = this.of(stream);
    const known = gaps
      .within([{ start, end }])
      .some((gap) => gap.reason === 'unreadable' && gap.start === start && gap.end === end);
    if (!known) gaps.insert({ start, end, messages: rows, reason: 'unreadable' });
  }

  /** The last key of the files that end by `key`; -1: there is none. */
  #lastFiled(stream: string, key: number): number {
    const file = this.#options.catalog.files(stream).findLast(({ lastKey }) => lastKey <= key);
    return file?.lastKey ?? -1;
  }

  #path(stream: string): string {
    return join(this.#options.dataDir, streamFolder(stream), GAPS_FILE);
  }
}

/** There is a file of these keys. One that has more may be made of its neighbours. */
function isListed(catalog: Catalog, stream: string, start: number, end: number): boolean {
  return catalog
    .files(stream, [{ start, end }])
    .some(({ firstKey, lastKey }) => firstKey === start && lastKey === end);
}

function unlessNone<Value>(value: Value): (error: NodeJS.ErrnoException) => Value {
  return (error) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return value;
    throw error;
  };
}
