/** Message Expiry Interval, MQTT 5 section 3.3.2.3.3. */
interface Expiring {
  /** Wall time in ms; undefined: never. */
  readonly expiry: number | undefined;
}

/** `now` is wall time in ms. */
export function expired({ expiry }: Expiring, now: number): boolean {
  return expiry !== undefined && expiry <= now;
}

/** Seconds a message is still valid, as it is passed on [MQTT-3.3.2-6]; undefined: for ever. */
export function secondsLeft({ expiry }: Expiring): number | undefined {
  return expiry === undefined ? undefined : Math.max(0, Math.ceil((expiry - Date.now()) / 1000));
}
