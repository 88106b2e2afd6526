/** The section `encryption` of the configuration: where keys are. No key stands in a configuration itself. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { shown } from './problem.js';

/** Variables that are values of the configuration. */
const CONFIG_PREFIX = /^MQTT_STREAM_/;

const keySchema = z
  .strictObject({
    /** Stands in every file that it has encrypted. */
    id: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, {
      error: ({ input }) => `expected 1 to 64 characters of A-Z a-z 0-9 . _ -, got ${shown(input)}`,
    }),
    /** 32 bytes, or these as hex or base64; for its owner only. */
    file: z
      .string()
      .regex(/^[^\0]+$/, { error: ({ input }) => `expected the path of a file, got ${shown(input)}` })
      .transform((path) => resolve(path))
      .optional(),
    /** The name of a variable that holds the key as hex or base64. */
    env: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
        // Without what is there instead: it may be the key.
        error: 'expected the name of a variable',
      })
      .refine((name) => !CONFIG_PREFIX.test(name), {
        error:
          'a variable that begins with MQTT_STREAM_ is a value of the configuration; choose another name',
      })
      .optional(),
  })
  .superRefine(({ file, env }, context) => {
    if ((file === undefined) !== (env === undefined)) return;
    context.addIssue({ code: 'custom', message: 'exactly one of file and env says where the key is' });
  });

export const encryptionSchema = z
  .strictObject({
    /** The first one is for new files; all of them open what they have encrypted. */
    keys: z
      .array(keySchema)
      .superRefine(idsDiffer, { when: () => true })
      .prefault([]),
  })
  .prefault({});

/** Runs even if an item is wrong elsewhere: nothing is sure here. */
function idsDiffer(keys: unknown, context: z.core.$RefinementCtx): void {
  if (!Array.isArray(keys)) return;
  const ids: unknown[] = keys.map((key) => key?.id);
  for (const [index, id] of ids.entries()) {
    const first = ids.indexOf(id);
    if (typeof id !== 'string' || first === index) continue;
    const message = `${shown(id)} is the id of encryption.keys[${first}] already; choose another`;
    context.addIssue({ code: 'custom', path: [index, 'id'], message });
  }
}

export type EncryptionConfig = z.output<typeof encryptionSchema>;
