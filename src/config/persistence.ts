/** The part of the schema that says where sessions and retained messages are kept. */
import { z } from 'zod';

export const persistenceSchema = z
  .strictObject({
    /** `level`: in the data folder, beyond the end of the process; `memory`: until then. */
    store: z.enum(['level', 'memory']).prefault('level'),
    /** Each change is on the disk before it counts, so that a power cut does not take it; else a crash does not. */
    sync: z.boolean().prefault(false),
  })
  .prefault({});
