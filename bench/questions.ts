import type { Question } from './question.js';

interface Entry {
  readonly asks: string;
  /** Not asked unless it is named. */
  readonly onRequest?: true;
  /** Loaded in the process that measures. */
  load(): Promise<Question>;
}

/** All questions, in the order they are asked. */
export const QUESTIONS = {
  ring: {
    asks: 'How fast do messages get from one thread to another?',
    load: async () => (await import('./ring.js')).ring,
  },
  pipeline: {
    asks: 'How fast do messages get from the ring into synced Parquet files?',
    load: async () => (await import('./pipeline.js')).pipeline,
  },
  search: {
    asks: 'How long does it take to find messages by their time?',
    load: async () => (await import('./search.js')).search,
  },
  capture: {
    asks: 'What does it cost the broker to capture a message?',
    load: async () => (await import('./capture.js')).capture,
  },
  'flush-latency': {
    asks: 'Does routing suffer while a file is written?',
    load: async () => (await import('./flush-latency.js')).flushLatency,
  },
  encryption: {
    asks: 'What does it cost to encrypt files and journal, and to find messages in them?',
    onRequest: true,
    load: async () => (await import('./encryption.js')).encryption,
  },
  broker: {
    asks: 'How does the broker compare with others? All from routing to stalled.',
    load: async () => (await import('./broker.js')).broker,
  },
  routing: {
    asks: 'How many messages does the broker route, beside others?',
    onRequest: true,
    load: async () => (await import('./routing.js')).routing,
  },
  latency: {
    asks: 'How long does a message take at a fixed rate, beside others?',
    onRequest: true,
    load: async () => (await import('./latency.js')).latency,
  },
  websocket: {
    asks: 'What does MQTT over WebSocket cost, beside others?',
    onRequest: true,
    load: async () => (await import('./websocket.js')).websocket,
  },
  connections: {
    asks: 'How much memory does an idle connection take, beside others?',
    onRequest: true,
    load: async () => (await import('./connections.js')).connections,
  },
  matching: {
    asks: 'What do many subscriptions and topics cost, beside others?',
    onRequest: true,
    load: async () => (await import('./matching.js')).matching,
  },
  stalled: {
    asks: 'Does a subscriber that does not read slow the others?',
    onRequest: true,
    load: async () => (await import('./stalled.js')).stalled,
  },
  durability: {
    asks: 'What does it cost that acknowledged messages are safe?',
    onRequest: true,
    load: async () => (await import('./durability.js')).durability,
  },
  kills: {
    asks: 'What does kill -9 take of messages that nobody waits for?',
    onRequest: true,
    load: async () => (await import('./kills.js')).kills,
  },
  'full-disk': {
    asks: 'Does routing suffer while a disk is full?',
    onRequest: true,
    load: async () => (await import('./full-disk.js')).fullDisk,
  },
  sessions: {
    asks: 'What do sessions cost whose clients are away, over kill -9 and restart?',
    onRequest: true,
    load: async () => (await import('./sessions.js')).sessions,
  },
  memory: {
    asks: 'Does the process keep its size under a steady flow?',
    onRequest: true,
    load: async () => (await import('./memory.js')).memory,
  },
} as const satisfies Record<string, Entry>;

export type QuestionName = keyof typeof QUESTIONS;

/** Those that are asked if none is named. */
export const DEFAULTS = (Object.entries(QUESTIONS) as [QuestionName, Entry][])
  .filter(([, { onRequest }]) => onRequest === undefined)
  .map(([name]) => name);

export function isQuestion(name: string): name is QuestionName {
  return Object.hasOwn(QUESTIONS, name);
}
