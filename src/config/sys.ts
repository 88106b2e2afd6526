/** The part of the schema that describes what the broker tells of itself under `$SYS`. */
import { z } from 'zod';
import { duration } from './quantity.js';
import { MAX_TIMER } from './stream.js';

export const sysSchema = z.strictObject({
  /** Between two updates of `$SYS/broker/...`, ms; 0: none. */
  interval: duration({ max: MAX_TIMER }).prefault('10s'),
  /** Whether `$SYS/brokers/client_status/<client id>` tells who connects and disconnects. */
  clientStatus: z.boolean().prefault(true),
});
