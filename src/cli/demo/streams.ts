import type { ConfigInput, StreamInput } from '../../config/schema.js';
import { topicMatcher } from '../../topics.js';

/** What the demonstration's broker captures; a message goes to every stream that matches. */
export const DEMO_STREAMS: readonly StreamInput[] = [
  {
    name: 'can',
    topics: ['vehicle/can/#'],
    ring: { messages: 32_768, bytes: '8MiB' },
    flush: { every: '60s', idle: 0, messages: 10_000 },
  },
  {
    name: 'lidar',
    topics: ['vehicle/lidar/#'],
    ring: { messages: 1024, bytes: '24MiB' },
    flush: { every: '60s', idle: 0, bytes: '10MiB' },
    parquet: { compression: 'none' },
  },
  {
    name: 'drive',
    topics: ['vehicle/#'],
    exclude: ['vehicle/can/#', 'vehicle/lidar/#'],
    flush: { every: '60s', idle: 0 },
  },
  {
    name: 'all',
    topics: ['#'],
    exclude: ['demo/#'],
    flush: { every: '60s', idle: 0 },
    parquet: { compression: 'lz4' },
  },
];

/** Ports are free ones. */
export function demoConfig(dataDir: string): ConfigInput {
  return {
    dataDir,
    listeners: [
      { protocol: 'tcp', port: 0 },
      { protocol: 'ws', port: 0 },
    ],
    http: { port: 0 },
    streams: [...DEMO_STREAMS],
    log: { level: 'warn' },
  };
}

/** Whether a stream captures a topic, said once more than the broker says it. */
export function capturedBy(stream: string): (topic: string) => boolean {
  const { topics, exclude = [] } = DEMO_STREAMS.find(({ name }) => name === stream)!;
  const include = topics.map(topicMatcher);
  const without = exclude.map(topicMatcher);
  return (topic) => include.some((matches) => matches(topic)) && !without.some((matches) => matches(topic));
}
