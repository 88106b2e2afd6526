import type { Broker } from '../broker/broker.js';
import type { Clock } from '../clock/clock.js';
import type { Series } from './series.js';

/** What of the whole process is counted. */
export interface BrokerNow {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly requests: { readonly running: number };
  readonly transfers: { readonly outstanding: number };
}

/** Counters count since the start of the process. */
export const BROKER_SERIES: readonly Series<BrokerNow>[] = [
  {
    kind: 'gauge',
    name: 'connections',
    help: 'Connections of MQTT clients.',
    read: ({ broker }) => broker.stats.connections,
  },
  {
    kind: 'gauge',
    name: 'sessions',
    help: 'Sessions, with or without a connection.',
    read: ({ broker }) => broker.sessions.count,
  },
  {
    kind: 'gauge',
    name: 'subscriptions',
    help: 'Subscriptions of all sessions.',
    read: ({ broker }) => broker.router.subscriptionCount,
  },
  {
    kind: 'gauge',
    name: 'retained_messages',
    help: 'Retained messages.',
    read: ({ broker }) => broker.retained.count,
  },
  {
    kind: 'gauge',
    name: 'retained_bytes',
    help: 'Payload bytes of the retained messages.',
    read: ({ broker }) => broker.retained.bytes,
  },
  {
    kind: 'counter',
    name: 'received_messages_total',
    help: "Messages published, the broker's own included.",
    read: ({ broker }) => broker.stats.received,
  },
  {
    kind: 'counter',
    name: 'received_bytes_total',
    help: 'Payload bytes of the messages published.',
    read: ({ broker }) => broker.stats.bytesReceived,
  },
  {
    kind: 'counter',
    name: 'sent_messages_total',
    help: 'Messages sent to subscribers, one for each of them.',
    read: ({ broker }) => broker.stats.sent,
  },
  {
    kind: 'counter',
    name: 'sent_bytes_total',
    help: 'Payload bytes sent to subscribers.',
    read: ({ broker }) => broker.stats.bytesSent,
  },
  {
    kind: 'counter',
    name: 'dropped_deliveries_total',
    help: 'Messages not delivered to one subscriber: it read too slowly, or takes no packets of that size.',
    read: ({ broker }) => broker.stats.dropped,
  },
  {
    kind: 'counter',
    name: 'refused_publishes_total',
    help: 'Messages not routed, because their topic is reserved.',
    read: ({ broker }) => broker.stats.refused,
  },
  {
    kind: 'counter',
    name: 'returned_publishes_total',
    help: 'Messages not routed, because they have gone out of this broker over a bridge before.',
    read: ({ broker }) => broker.stats.returned,
  },
  {
    kind: 'counter',
    name: 'quota_disconnects_total',
    help: 'Clients disconnected because too many messages of QoS 1 and 2 waited for them.',
    read: ({ broker }) => broker.stats.quotaDisconnects,
  },
  {
    kind: 'gauge',
    name: 'delivery_queue_messages',
    help: 'Messages that wait for connected subscribers.',
    read: ({ broker }) => broker.queued.messages,
  },
  {
    kind: 'gauge',
    name: 'delivery_queue_bytes',
    help: 'Bytes that wait for connected subscribers.',
    read: ({ broker }) => broker.queued.bytes,
  },
  {
    kind: 'gauge',
    name: 'held_connections',
    help: 'Connections that are not read: they wait for room in a ring, or for subscribers that lag behind.',
    read: ({ broker }) => broker.heldConnections,
  },
  {
    kind: 'gauge',
    name: 'requests_running',
    help: 'Searches, replays and other requests being answered.',
    read: ({ requests }) => requests.running,
  },
  {
    kind: 'gauge',
    name: 'transfers_outstanding',
    help: 'Files that the transfer client was asked for and has not sent.',
    read: ({ transfers }) => transfers.outstanding,
  },
  {
    kind: 'gauge',
    name: 'clock_corrections',
    help: 'Steps of the wall clock that are known; keys do not follow them.',
    // The first entry is not a step: it says what the keys began with.
    read: ({ clock }) => clock.corrections.length - 1,
  },
];

export const PROCESS_SERIES: readonly Series<NodeJS.Process>[] = [
  {
    kind: 'gauge',
    name: 'resident_memory_bytes',
    help: 'Memory of the process, rings included.',
    read: (process) => process.memoryUsage.rss(),
  },
  {
    kind: 'gauge',
    name: 'heap_used_bytes',
    help: "Memory in use on the JavaScript heap of the broker's thread.",
    read: (process) => process.memoryUsage().heapUsed,
  },
  {
    kind: 'counter',
    name: 'cpu_seconds_total',
    help: 'Processor time of all threads of the process.',
    read: (process) => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  },
  {
    kind: 'gauge',
    name: 'uptime_seconds',
    help: 'Time since the process was started.',
    read: (process) => process.uptime(),
  },
];
