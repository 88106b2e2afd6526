/** Times as requests write them, to the microsecond. */
import { MqttStreamError } from '../errors.js';

/** Microseconds a unit. */
const UNITS: ReadonlyMap<string, number> = new Map([
  ['d', 86_400_000_000],
  ['h', 3_600_000_000],
  ['m', 60_000_000],
  ['s', 1_000_000],
  ['ms', 1000],
  ['us', 1],
]);

const BEFORE_NOW = /^-(\d{1,16}(?:\.\d{1,16})?)(us|ms|s|m|h|d)$/;
const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;
const DATE_TIME = /^(\d{4}-\d\d-\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(?:Z|([+-])(\d\d):?(\d\d))$/;

export const TIME_FORMS =
  'microseconds since the epoch, ISO 8601 with a zone such as "2024-11-23T02:46:40.000001Z", "now", or "-10m" before now';

/**
 * Microseconds since the epoch: of a whole number of them; of an ISO 8601 text with a zone and at most six decimals,
 * or a date alone, which is its midnight in UTC; of "now"; of "-90s" before now (units us, ms, s, m, h, d).
 * `now` is in microseconds, `name` says in errors what it is the time of. Throws `REQUEST_BAD_RANGE`.
 */
export function parseTime(time: number | string, now: number, name: string): number {
  const value = typeof time === 'number' ? time : parseText(time, now);
  if (!Number.isInteger(value)) throw bad(name, `${shown(time)} is not a time; use ${TIME_FORMS}`);
  if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) return value;
  throw bad(name, `${shown(time)} is not between the years 1970 and 2255`);
}

function parseText(text: string, now: number): number {
  if (text === 'now') return now;
  const before = BEFORE_NOW.exec(text);
  if (before !== null) return now - Math.round(Number(before[1]) * UNITS.get(before[2])!);
  const moment = DATE_TIME.exec(text);
  if (moment === null) return midnight(text);
  const [, date, hour, minute, second = '0', decimals = '', sign, zoneHour = '0', zoneMinute = '0'] = moment;
  const inRange =
    Number(hour) < 24 &&
    Number(minute) < 60 &&
    Number(second) < 60 &&
    Number(zoneHour) < 24 &&
    Number(zoneMinute) < 60;
  if (!inRange) return Number.NaN;
  const minutes = Number(hour) * 60 + Number(minute);
  const zone = (Number(zoneHour) * 60 + Number(zoneMinute)) * (sign === '-' ? -1 : 1);
  const micros = Number(second) * 1_000_000 + Number(decimals.padEnd(6, '0'));
  return midnight(date) + (minutes - zone) * 60_000_000 + micros;
}

/** The start of a day in UTC; `NaN` for a text that is none and for a day that does not exist. */
function midnight(text: string): number {
  const match = DATE.exec(text);
  if (match === null) return Number.NaN;
  const [, year, month, day] = match.map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() * 1000 : Number.NaN;
}

/** Requests are hostile: what is shown of one is short, on one line, and never goes into depth. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

function bad(name: string, reason: string): MqttStreamError {
  return new MqttStreamError('REQUEST_BAD_RANGE', [`${name}: ${reason}`]);
}
