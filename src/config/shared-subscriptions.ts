/** The section `sharedSubscriptions` of the configuration. */
import { z } from 'zod';

export const sharedSubscriptionsSchema = z
  .strictObject({
    /** Who of a group gets a message: one after the other, or the same one for all messages of a publisher. */
    strategy: z.enum(['round-robin', 'sticky']).prefault('round-robin'),
  })
  .prefault({});
