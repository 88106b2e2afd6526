import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

export interface LogOptions {
  readonly level: string;
  /** `text` for people, `json` for programs: one line an event either way. */
  readonly format: 'text' | 'json';
}

/** A logger that writes lines to `write`. */
export function createLog({ level, format }: LogOptions, write: (line: string) => void): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  return pino(options, { write: format === 'json' ? write : (line: string) => write(textLine(line)) });
}

const LEVELS: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'WARN',
  50: 'ERROR',
  60: 'FATAL',
};

/** `2026-01-31T12:00:00.000Z info  message key=value`. What controls a terminal or turns text around stays escaped, in topics, ids and errors. */
function textLine(json: string): string {
  const { level, time, msg, err, ...rest } = JSON.parse(json) as Record<string, unknown>;
  const fields = Object.entries(rest).map(([key, value]) => ` ${key}=${plain(value)}`);
  const reason = err === undefined ? '' : ` error=${plain(reasonOf(err))}`;
  const line = `${time} ${(LEVELS[level as number] ?? '').padEnd(5)} ${msg}${fields.join('')}${reason}`;
  return `${line.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, escaped)}\n`;
}

/** Anything can be thrown. */
function reasonOf(err: unknown): unknown {
  return (err as { message?: unknown } | null)?.message ?? err;
}

function plain(value: unknown): string {
  return typeof value === 'string' && /^[\w./:~@+-]+$/.test(value) ? value : JSON.stringify(value);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
