import { dirname, join } from 'node:path';
import type { Catalog } from '../catalog/catalog.js';
import type { DroppedFile } from '../catalog/entry.js';
import { GAPS_FILE, isStreamName, STREAMS_FOLDER, streamFolder } from '../catalog/naming.js';
import { textOf } from '../errors.js';
import { type GapFiles, GapLog } from '../exchange/gap-log.js';
import { EMPTY_RECORD, type GapRecord, readGapRecord } from '../exchange/gap-record.js';
import { type Gap, type GapReason, Gaps } from '../exchange/gaps.js';
import type { Stream } from '../exchange/stream.js';
import type { Logger } from '../log.js';
import type { Restored } from '../recorder/protocol.js';

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
  /** See `GapLogOptions`; the system's, if left out. */
  readonly after?: (ms: number, callback: () => void) => () => void;
  readonly log: Logger;
  readonly afterCrash: boolean;
  /** No key up to this one was given by this process. */
  readonly lastKeyBefore: number;
}

/** What was found of what the process before has left. */
type Found = Pick<Restored, 'unreadable' | 'left'>;

/** The gaps of all streams, kept on the disk: also of those that are not running, whose files may turn out corrupt. */
export class GapLogs {
  readonly #options: GapLogsOptions;
  readonly #logs = new Map<string, GapLog>();
  /** Streams whose records may lack what was dropped or refused in the last moments before a crash. */
  readonly #behind = new Set<string>();
  /** Where something may be missing of what the process before has left, until all is in files. */
  readonly #unread = new Map<string, readonly Gap[]>();
  /** What crashes may have taken of streams that do not begin: told by the next start. */
  readonly #untold = new Map<string, Gap>();

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
    const start = this.#unknownFrom(name, holdsPublishers);
    if (afterCrash && start <= end) gaps.insert({ start, end, messages: null, reason: 'crash' });
    gaps.begin(end);
  }

  /** Instead of `begin`: what was left of a stream is put into files, and the crash stays to be told by its next start. */
  leave(stream: string): void {
    const { lastKeyBefore: end } = this.#options;
    const start = this.#unknownFrom(stream);
    if (start <= end) this.#untold.set(stream, { start, end, messages: null, reason: 'crash' });
  }

  /**
   * What the process before has left of a stream comes back, a segment at a time; what was found is in the catalogue. When
   * `left` is 0 it is known what may be missing before the end, and the rest is what crashes took.
   */
  restored(stream: string, { unreadable, left }: Found): void {
    if (unreadable) this.#incomplete(stream);
    if (left === 0) this.#narrow(stream);
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

  /** Nobody finds it again. So it is told at once, of all that crashes may have taken, until `#narrow` knows better. */
  #incomplete(stream: string): void {
    if (this.#unread.has(stream)) return;
    const gaps = this.of(stream);
    const unread: Gap[] = this.#crashes(stream)
      .filter(({ start, end }) => !isUnknown(gaps, start, end))
      .map((gap) => ({ ...gap, reason: 'unknown' }));
    this.#unread.set(stream, unread);
    for (const gap of unread) gaps.insert(gap);
  }

  /**
   * What was left of a stream is in files: what crashes took begins behind them. Between them something may be missing, too,
   * if some was not to be read, or the record is behind.
   */
  #narrow(stream: string): void {
    const gaps = this.of(stream);
    for (const gap of this.#unread.get(stream) ?? []) {
      const filed = this.#lastFiled(stream, gap.end);
      if (filed >= gap.start) gaps.replace(gap, [{ ...gap, end: filed }]);
      // The crash tells it.
      else if (this.#options.afterCrash) gaps.replace(gap, []);
    }
    this.#unread.delete(stream);
    for (const gap of this.#crashes(stream)) {
      const { start, end } = gap;
      const filed = this.#lastFiled(stream, end);
      if (filed < start) continue;
      if (this.#behind.has(stream) && !isUnknown(gaps, start, filed))
        gaps.insert({ start, end: filed, messages: null, reason: 'unknown' });
      gaps.replace(gap, filed < end ? [{ ...gap, start: filed + 1 }] : []);
    }
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
    const { after = systemAfter, files, log } = this.#options;
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

  /** The first key that may be neither in a file nor among the gaps. */
  #unknownFrom(stream: string, holdsPublishers = true): number {
    const filed = this.#lastFiled(stream, this.#options.lastKeyBefore);
    // Without any record there was nothing to tell, or it was made by a version that kept none.
    const settled = this.of(stream).settled ?? (this.#behind.has(stream) ? -1 : filed);
    if (!holdsPublishers) this.#behind.add(stream);
    return (this.#behind.has(stream) ? settled : Math.max(filed, settled)) + 1;
  }

  /** What crashes may have taken of a stream. */
  #crashes(stream: string): readonly Gap[] {
    const { gaps } = this.of(stream).known();
    const untold = this.#untold.get(stream);
    return [...gaps.filter(({ reason }) => reason === 'crash'), ...(untold === undefined ? [] : [untold])];
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

/** It is told already that messages of this time may be missing. */
function isUnknown(gaps: Gaps, start: number, end: number): boolean {
  return gaps
    .within([{ start, end }])
    .some((gap) => gap.reason === 'unknown' && gap.start <= start && gap.end >= end);
}

/** There is a file of these keys. One that has more may be made of its neighbours. */
function isListed(catalog: Catalog, stream: string, start: number, end: number): boolean {
  return catalog
    .files(stream, [{ start, end }])
    .some(({ firstKey, lastKey }) => firstKey === start && lastKey === end);
}

/** Nothing to stay alive for: the end of the process writes gaps, too. */
function systemAfter(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  timer.unref();
  return () => clearTimeout(timer);
}

function unlessNone<Value>(value: Value): (error: NodeJS.ErrnoException) => Value {
  return (error) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return value;
    throw error;
  };
}
