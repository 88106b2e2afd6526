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
    kind: 'counter',
    name: 'accepted_connections_total',
    help: 'Connections that were accepted.',
    read: ({ broker }) => broker.stats.accepted,
  },
  {
    kind: 'counter',
    name: 'connects_total',
    help: 'CONNECT packets of clients.',
    read: ({ broker }) => broker.stats.connects,
  },
  {
    kind: 'counter',
    name: 'connections_refused_full_total',
    help: 'Connections closed at once, because there were too many.',
    read: ({ broker }) => broker.stats.refusedConnections.full,
  },
  {
    kind: 'counter',
    name: 'connections_refused_address_total',
    help: 'Connections closed at once, because there were too many from their address.',
    read: ({ broker }) => broker.stats.refusedConnections.address,
  },
  {
    kind: 'counter',
    name: 'connections_refused_rate_total',
    help: 'Connections closed at once, because too many came in a second.',
    read: ({ broker }) => broker.stats.refusedConnections.rate,
  },
  {
    kind: 'counter',
    name: 'accept_failures_total',
    help: 'Times that the system could not accept a connection: no file descriptor was left, for example.',
    read: ({ broker }) => broker.stats.acceptFailures,
  },
  {
    kind: 'counter',
    name: 'connect_timeouts_total',
    help: 'Connections ended because CONNECT did not come in time.',
    read: ({ broker }) => broker.stats.connectTimeouts,
  },
  {
    kind: 'counter',
    name: 'oversized_connects_total',
    help: 'Connections ended because their CONNECT was too large.',
    read: ({ broker }) => broker.stats.oversizedConnects,
  },
  {
    kind: 'counter',
    name: 'tls_failures_total',
    help: 'TLS handshakes that failed.',
    read: ({ broker }) => broker.stats.tlsFailures,
  },
  {
    kind: 'gauge',
    name: 'sessions',
    help: 'Sessions, with or without a connection.',
    read: ({ broker }) => broker.sessions.count,
  },
  {
    kind: 'counter',
    name: 'expired_sessions_total',
    help: 'Sessions that ended because their expiry interval had passed.',
    read: ({ broker }) => broker.stats.expired,
  },
  {
    kind: 'gauge',
    name: 'subscriptions',
    help: 'Subscriptions of all sessions.',
    read: ({ broker }) => broker.router.subscriptionCount,
  },
  {
    kind: 'gauge',
    name: 'shared_subscriptions',
    help: 'Those of them that are shared, one for each member of a group.',
    read: ({ broker }) => broker.router.sharedCount,
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
    name: 'received_packets_total',
    help: 'MQTT packets of all kinds that clients sent.',
    read: ({ broker }) => broker.stats.packetsReceived,
  },
  {
    kind: 'counter',
    name: 'sent_packets_total',
    help: 'MQTT packets of all kinds sent to clients.',
    read: ({ broker }) => broker.stats.packetsSent,
  },
  {
    kind: 'counter',
    name: 'received_wire_bytes_total',
    help: 'All bytes of MQTT that clients sent.',
    read: ({ broker }) => broker.stats.wireBytesReceived,
  },
  {
    kind: 'counter',
    name: 'sent_wire_bytes_total',
    help: 'All bytes of MQTT sent to clients.',
    read: ({ broker }) => broker.stats.wireBytesSent,
  },
  {
    kind: 'counter',
    name: 'received_messages_total',
    help: 'Messages published by clients, those that are refused or repeated included.',
    read: ({ broker }) => broker.stats.received,
  },
  {
    kind: 'counter',
    name: 'received_bytes_total',
    help: 'Payload bytes of the messages published by clients.',
    read: ({ broker }) => broker.stats.bytesReceived,
  },
  {
    kind: 'counter',
    name: 'inside_messages_total',
    help: 'Messages published from inside: by the embedder, wills, and answers to requests.',
    read: ({ broker }) => broker.stats.inside,
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
    help: 'Messages not delivered to one subscriber, or to none of a group: too slow, away, or takes no packets of that size.',
    read: ({ broker }) => broker.stats.dropped,
  },
  {
    kind: 'counter',
    name: 'refused_publishes_total',
    help: 'Messages not routed, because their topic is reserved or the rules do not allow it.',
    read: ({ broker }) => broker.stats.refused,
  },
  {
    kind: 'counter',
    name: 'refused_logins_total',
    help: 'Clients that were not let in by authentication.',
    read: ({ broker }) => broker.stats.refusedLogins,
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
    kind: 'counter',
    name: 'receive_maximum_disconnects_total',
    help: 'Clients disconnected because they sent more messages of QoS 1 and 2 than they may have unacknowledged.',
    read: ({ broker }) => broker.stats.receiveMaximumDisconnects,
  },
  {
    kind: 'counter',
    name: 'refused_subscriptions_total',
    help: 'Subscriptions not granted, because the client has as many as it may.',
    read: ({ broker }) => broker.stats.subscriptionsRefused,
  },
  {
    kind: 'counter',
    name: 'refused_retained_total',
    help: 'Messages routed but not retained, because there are as many as may be.',
    read: ({ broker }) => broker.stats.retainedRefused,
  },
  {
    kind: 'counter',
    name: 'refused_sessions_total',
    help: 'Sessions that ended with their connection, because there are as many as may be.',
    read: ({ broker }) => broker.stats.sessionsRefused,
  },
  {
    kind: 'counter',
    name: 'refused_requests_total',
    help: 'Requests answered with REQUEST_LIMIT, because their client asks too often.',
    read: ({ broker }) => broker.stats.requestsRefused,
  },
  {
    kind: 'counter',
    name: 'slowed_publishers_total',
    help: 'How often a client was not read for a while, because it sends too fast.',
    read: ({ broker }) => broker.stats.slowedDown,
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
  {
    kind: 'gauge',
    name: 'clock_offset_seconds',
    help: 'By how much wall time is ahead of keys.',
    read: ({ clock }) => clock.offset / 1e6,
  },
  {
    kind: 'gauge',
    name: 'clock_plausible',
    help: '0 while the wall clock shows a time that cannot be, or was never right since the machine was started; else 1.',
    read: ({ clock }) => Number(clock.plausible),
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
