import type { Bridge } from '../bridge/bridge.js';
import type { Series } from './series.js';

/** Counters count since the start of the process. */
export const BRIDGE_SERIES: readonly Series<Bridge>[] = [
  {
    kind: 'gauge',
    name: 'bridge_connected',
    help: 'Whether the bridge is connected and subscribed.',
    read: ({ stats }) => Number(stats.connected),
  },
  {
    kind: 'counter',
    name: 'bridge_connections_total',
    help: 'Connections that were made.',
    read: ({ stats }) => stats.connections,
  },
  {
    kind: 'counter',
    name: 'bridge_sent_messages_total',
    help: 'Messages that the other broker acknowledged; with QoS 0 those that were written.',
    read: ({ stats }) => stats.sent,
  },
  {
    kind: 'counter',
    name: 'bridge_sent_bytes_total',
    help: 'Payload bytes of the messages sent.',
    read: ({ stats }) => stats.bytesSent,
  },
  {
    kind: 'counter',
    name: 'bridge_received_messages_total',
    help: 'Messages that came from the other broker.',
    read: ({ stats }) => stats.received,
  },
  {
    kind: 'counter',
    name: 'bridge_received_bytes_total',
    help: 'Payload bytes of the messages that came from the other broker.',
    read: ({ stats }) => stats.bytesReceived,
  },
  {
    kind: 'gauge',
    name: 'bridge_waiting_messages',
    help: 'Messages in memory that are not sent, or not acknowledged; what waits in a stream is not counted.',
    read: ({ waiting }) => waiting,
  },
  {
    kind: 'gauge',
    name: 'bridge_lag_seconds',
    help: 'Age of the oldest message of the stream that the other broker has not acknowledged.',
    read: ({ lagSeconds }) => lagSeconds,
  },
  {
    kind: 'counter',
    name: 'bridge_dropped_messages_total',
    help: 'Messages not sent: there was no connection, or too much waited. Never of a stream.',
    read: ({ stats }) => stats.dropped,
  },
  {
    kind: 'counter',
    name: 'bridge_refused_messages_total',
    help: 'Messages that the other broker did not take, or that could not be published here or there.',
    read: ({ stats }) => stats.refused,
  },
  {
    kind: 'counter',
    name: 'bridge_expired_messages_total',
    help: 'Messages not sent, because their Message Expiry Interval had passed.',
    read: ({ stats }) => stats.expired,
  },
  {
    kind: 'counter',
    name: 'bridge_loops_total',
    help: 'Messages that had passed a bridge of this broker before, and were not passed on.',
    read: ({ stats }) => stats.loops,
  },
  {
    kind: 'counter',
    name: 'bridge_gaps_total',
    help: 'Places in the stream where messages were missing that should have been sent.',
    read: ({ stats }) => stats.gaps,
  },
  {
    kind: 'counter',
    name: 'bridge_missed_messages_total',
    help: 'Messages missing there, at most; those of a gap of unknown size are not counted.',
    read: ({ stats }) => stats.missed,
  },
];
