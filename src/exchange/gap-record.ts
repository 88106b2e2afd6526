/**
 * The record of a stream's gaps, as text. Every line is one write: a checksum (of zlib, 8 hexadecimal digits), a space,
 * and what was new then, as JSON. A gap stands in the place of an earlier one with the same start and reason.
 *
 * Invariant: a line's `settled` says that all gaps up to this key stand in it or above it; null, that this cannot be said.
 * So the lines up to any one of them say what they know: a lost end is told by the gap of the crash, which begins behind
 * `settled`.
 */
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { GAP_REASONS, type Gap, type KnownGaps } from './gaps.js';

const Line = z.object({
  settled: z.number().int().nullable(),
  forgotten: z.number().int().nullable(),
  gaps: z.array(
    z.object({
      start: z.number().int(),
      end: z.number().int(),
      messages: z.number().int().nullable(),
      reason: z.enum(GAP_REASONS),
    }),
  ),
});
type Line = z.infer<typeof Line>;

/** Gaps in one line of a whole record. */
const LINE_GAPS = 500;

/** What a record says. */
export interface GapRecord extends KnownGaps {
  /** Its end is no whole line, as a crash may leave it. */
  readonly torn: boolean;
  /** Its last line tells of messages that are missing: more may have been by the time of the next one, which is not there. */
  readonly growing: boolean;
  /** Lines that are no whole ones, before others that are. */
  readonly damaged: number;
}

export const EMPTY_RECORD: GapRecord = {
  settled: null,
  forgotten: null,
  gaps: [],
  torn: false,
  growing: false,
  damaged: 0,
};

export function gapLine({ settled, forgotten, gaps }: KnownGaps): string {
  const json = JSON.stringify({ settled, forgotten, gaps });
  return `${checksum(json)} ${json}\n`;
}

/** `fresh`: those that are new, or grew, since the record was written before. */
export function wholeRecord({ settled, forgotten, gaps }: KnownGaps, fresh: readonly Gap[]): string {
  const last = new Set(fresh);
  const others = gaps.filter((gap) => !last.has(gap));
  let text = '';
  for (let i = 0; i < others.length; i += LINE_GAPS) {
    text += gapLine({ settled: null, forgotten, gaps: others.slice(i, i + LINE_GAPS) });
  }
  return text + gapLine({ settled, forgotten, gaps: fresh });
}

/** Whatever the text is. */
export function readGapRecord(text: string): GapRecord {
  const gaps = new Map<string, Gap>();
  let { settled, forgotten } = EMPTY_RECORD;
  let growing = false;
  let damaged = 0;
  let unread = 0;
  const lines = text.split('\n');
  const rest = lines.pop();
  for (const line of lines) {
    const found = parseLine(line);
    if (found === null) {
      unread++;
      continue;
    }
    damaged += unread;
    unread = 0;
    settled = found.settled;
    growing = found.gaps.some(({ messages }) => messages !== null);
    if (found.forgotten !== forgotten) {
      forgotten = found.forgotten;
      for (const [id, { end }] of gaps) if (end <= (forgotten ?? 0)) gaps.delete(id);
    }
    for (const gap of found.gaps) {
      const id = `${gap.start} ${gap.reason}`;
      // Gaps grow. One that ends earlier is another one: of messages that came out of a journal again, and were deleted again.
      if (gap.end >= (gaps.get(id)?.end ?? 0)) gaps.set(id, gap);
    }
  }
  return { settled, forgotten, gaps: [...gaps.values()], torn: unread > 0 || rest !== '', growing, damaged };
}

function parseLine(line: string): Line | null {
  const json = line.slice(9);
  if (line.slice(0, 9) !== `${checksum(json)} `) return null;
  try {
    return Line.parse(JSON.parse(json));
  } catch {
    // The checksum says that it was written so: by a version that knows more.
    return null;
  }
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}
