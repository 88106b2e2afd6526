import { readFileSync } from 'node:fs';

/** Of the package; also in the metadata of every file. */
export const VERSION = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
