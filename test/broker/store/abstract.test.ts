/** aedes' own suite for every persistence. */
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { opened } from './fixture.js';

type Suite = (options: { test: typeof test; persistence: () => Promise<object>; testAsync: true }) => void;

const suite = createRequire(import.meta.url)('aedes-persistence/abstract.js') as Suite;

suite({ test, persistence: () => opened(), testAsync: true });
