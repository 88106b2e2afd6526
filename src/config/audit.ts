/** The part of the schema that describes the audit. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { shown } from './problem.js';

export const auditSchema = z.strictObject({
  enabled: z.boolean().prefault(true),
  /** Absolute once parsed; a relative one starts at the working directory. Empty: the events stand in the log. */
  file: z
    .string()
    .regex(/^[^\0]*$/, { error: ({ input }) => `expected the path of a file, got ${shown(input)}` })
    .prefault('')
    .transform((file) => (file === '' ? '' : resolve(file))),
});
