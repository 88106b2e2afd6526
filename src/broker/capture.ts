import type { PublishProperties } from './aedes-internals.js';

/** Who publishes; made once a connection, so that what is known of its topics is found without a look-up by client. */
export interface Origin {
  readonly clientId: string | null;
}

/** What is captured of a message. */
export interface Captured {
  readonly topic: string;
  /** The same for all messages on the topic that come soon after each other; `memo` is the capture's. */
  readonly known: { readonly utf8: Uint8Array; memo: unknown };
  readonly payload: Buffer;
  /** The same without a view of it: `payloadAt..payloadEnd` of this. */
  readonly payloadBuffer: Buffer;
  readonly payloadAt: number;
  readonly payloadEnd: number;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly properties: PublishProperties | undefined;
}

/**
 * All that the broker knows of what happens to messages besides being routed. `admit` and `take` are called one
 * after the other for a message, with nothing between them.
 */
export interface Capture {
  origin(clientId: string | null): Origin;
  /** Whether `take` may be called now. False: some stream wants the message, has no room, and makes publishers wait. */
  admit(origin: Origin, message: Captured): boolean;
  /** Copies the message to every stream that wants it. False: one refused it. */
  take(origin: Origin, message: Captured, key: number): boolean;
  /** When what was taken last is as safe as its streams promise, if nothing was admitted since; null: it is. */
  safe(): Promise<void> | null;
  /** Calls back once, in the order of the calls, when `admit` is worth asking again. */
  wait(origin: Origin, message: Captured, room: () => void): void;
}

/** A broker that only routes. */
export const NO_CAPTURE: Capture = {
  origin: (clientId) => ({ clientId }),
  admit: () => true,
  take: () => true,
  safe: () => null,
  wait: (_origin, _message, room) => room(),
};
