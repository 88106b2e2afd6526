import { columns } from '../columns.js';
import { bytesText, countText } from '../quantity-text.js';

export interface StreamReport {
  readonly stream: string;
  readonly published: number;
  readonly captured: number;
  /** Found by the search in memory, and in files that were transferred. */
  readonly fromRing: number;
  readonly fromFiles: number;
  readonly files: number;
  readonly replayed: number;
  readonly onDisk: number;
  readonly bytes: number;
}

export interface DemoReport {
  readonly streams: readonly StreamReport[];
  readonly live: { readonly messages: number; readonly perSecond: number; readonly bytesPerSecond: number };
  /** From publish to subscriber, ms. */
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  readonly replayPerSecond: number;
  readonly transferred: { readonly files: number; readonly bytes: number };
  readonly seconds: number;
  /** What is not as it should be; empty: all is verified. */
  readonly differences: readonly string[];
}

const HEAD = [
  'stream',
  'published',
  'captured',
  'from ring',
  'from files',
  'files',
  'replayed',
  'on disk',
  'bytes',
];

/** For people. */
export function reportLines(report: DemoReport): string[] {
  const { streams, live, latencyMs, replayPerSecond, transferred, seconds, differences } = report;
  const rows = streams.map((one) => [
    one.stream,
    ...[one.published, one.captured, one.fromRing, one.fromFiles, one.files, one.replayed, one.onDisk].map(
      countText,
    ),
    bytesText(one.bytes),
  ]);
  const rate = `${countText(Math.round(live.perSecond))} messages/s, ${bytesText(live.bytesPerSecond)}/s`;
  return [
    ...columns([HEAD, ...rows], 'right'),
    '',
    ...columns(
      [
        ['live subscriber', `${countText(live.messages)} messages in order, ${rate}`],
        [
          'latency',
          `p50 ${latencyMs.p50.toFixed(2)} ms, p99 ${latencyMs.p99.toFixed(2)} ms (CAN frames, QoS 0 and 1)`,
        ],
        ['replay', `${countText(Math.round(replayPerSecond))} messages/s`],
        [
          'transfer',
          `${countText(transferred.files)} files, ${bytesText(transferred.bytes)}, every SHA-256 as announced`,
        ],
        ['stop', 'SIGTERM, exit 0, every message in a file on disk'],
        ['time', `${seconds.toFixed(1)} s`],
      ].filter(([name]) => differences.length === 0 || name !== 'stop'),
    ),
    '',
    ...(differences.length === 0
      ? ['all verified']
      : differences.map((difference) => `differs: ${difference}`)),
  ];
}
