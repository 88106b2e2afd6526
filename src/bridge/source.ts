/** Where what goes out comes from: the broker as it is published, or a stream. */
export interface Source {
  /** Messages in memory that the other broker has not acknowledged. */
  readonly waiting: number;
  /** Age of the oldest message that it has not acknowledged, seconds; 0: none. */
  readonly lagSeconds: number;
  start(): void;
  up(): void;
  down(): void;
  /** Sends no more, and waits for a moment for what is on its way. */
  close(): Promise<void>;
}

/** After so many messages (~1 ms) the event loop gets its turn: the broker's own come first. */
export const TURN_MESSAGES = 32;
/** How long a stop waits for acknowledgements, ms. */
export const SETTLE_MS = 1000;
