/** The part of the schema that says where sessions and retained messages are kept. */
import { z } from 'zod';
import { shown } from './problem.js';

export const persistenceSchema = z
  .strictObject({
    /**
     * `level`: in the data folder, beyond the end of the process; `memory`: until then; `redis`: in a Redis, which
     * several instances share.
     */
    store: z.enum(['level', 'memory', 'redis']).prefault('level'),
    /** Each change is on the disk before it counts, so that a power cut does not take it; else a crash does not. */
    sync: z.boolean().prefault(false),
    redis: z
      .strictObject({
        /** With user and password, if it needs them: redis://user:password@host:6379/0; rediss:// for TLS. */
        url: z
          .string()
          .refine((text) => /^rediss?:\/\/[^\s/]/.test(text) && URL.canParse(text), {
            // What it holds may be a password.
            error: 'expected a URL such as redis://127.0.0.1:6379',
          })
          .prefault('redis://127.0.0.1:6379'),
        /** What the names of all its keys and channels begin with: instances with the same one share. */
        prefix: z
          .string()
          .regex(/^[\x21-\x7e]{1,64}$/, {
            error: ({ input }) => `expected 1 to 64 ASCII characters without spaces, got ${shown(input)}`,
          })
          .prefault('mqtt-stream:'),
      })
      .prefault({}),
  })
  .prefault({});
