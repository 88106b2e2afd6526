import { InvalidArgumentError } from 'commander';
import { ID_PATTERN } from '../transfer/topics.js';

/** A whole number of at least 1. */
export function count(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text))
    throw new InvalidArgumentError('A whole number of at least 1 is needed.');
  return Number(text);
}

/** A number of at least 0. */
export function rate(text: string): number {
  if (!/^\d{1,9}(\.\d{1,9})?$/.test(text))
    throw new InvalidArgumentError('A number such as 0, 1 or 2.5 is needed.');
  return Number(text);
}

/** A time as requests take it: microseconds as a number, all else as text. */
export function time(text: string): number | string {
  return /^\d{1,16}$/.test(text) ? Number(text) : text;
}

export function requestId(text: string): string {
  if (!ID_PATTERN.test(text)) {
    throw new InvalidArgumentError('1 to 64 characters of A-Z a-z 0-9 _ - are needed.');
  }
  return text;
}
