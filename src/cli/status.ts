import { OK } from './failure.js';
import { ask, type RequestOptions, withRequest } from './request-options.js';
import { verb } from './verb.js';

export const statusVerb = verb<RequestOptions>({
  name: 'status',
  summary: 'how a stream is: what fails, what its ring and files hold, what was recovered at the start',
  options: withRequest,
  examples: ['status --stream vehicle', 'status --stream vehicle --url mqtt://10.0.0.5:1883 --json'],
  run: async (options, terminal) => {
    const result = await ask(options, 'status', {});
    if (options.json) {
      terminal.out(JSON.stringify(result));
      return OK;
    }
    for (const [name, value] of rows(result.status as object)) terminal.out(`${name.padEnd(24)} ${value}`);
    return OK;
  },
});

/** Nested values by a path of their names. */
function* rows(status: object, before = ''): Generator<[name: string, value: string]> {
  for (const [name, value] of Object.entries(status)) {
    if (typeof value === 'object' && value !== null) yield* rows(value, `${before}${name}.`);
    else yield [before + name, value === null ? '-' : String(value)];
  }
}
