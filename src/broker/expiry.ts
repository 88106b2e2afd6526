import type { PublishPacket } from './aedes-internals.js';

/** Message Expiry Interval, MQTT 5 section 3.3.2.3.3. `now` is wall time in ms. */
export function setExpiry(packet: PublishPacket, now: number): void {
  const seconds = packet.properties?.messageExpiryInterval;
  if (seconds !== undefined) packet.messageExpiry = now + seconds * 1000;
}

export function expired({ messageExpiry }: PublishPacket, now: number): boolean {
  return messageExpiry !== undefined && messageExpiry <= now;
}

/** Seconds a message is still valid, as it is passed on [MQTT-3.3.2-6]; undefined: for ever. */
export function secondsLeft({ messageExpiry, properties }: PublishPacket): number | undefined {
  if (messageExpiry === undefined) return properties?.messageExpiryInterval;
  return Math.max(0, Math.ceil((messageExpiry - Date.now()) / 1000));
}
