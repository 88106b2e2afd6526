/** Time as a bridge needs it. Ms. */
export interface BridgeTime {
  /** Monotonic. */
  now(): number;
  /** Calls back once; the returned function takes it back. */
  after(ms: number, callback: () => void): () => void;
}

export const SYSTEM_TIME: BridgeTime = {
  now: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
