import type { Broker } from '../broker/broker.js';
import type { Series } from './series.js';

/** Who is connected, or was refused. Counters count since the start of the process. */
export const CONNECTION_SERIES: readonly Series<Broker>[] = [
  {
    kind: 'gauge',
    name: 'connections',
    help: 'Connections of MQTT clients.',
    read: ({ stats }) => stats.connections,
  },
  {
    kind: 'counter',
    name: 'accepted_connections_total',
    help: 'Connections that were accepted.',
    read: ({ stats }) => stats.accepted,
  },
  {
    kind: 'counter',
    name: 'connects_total',
    help: 'CONNECT packets of clients.',
    read: ({ stats }) => stats.connects,
  },
  {
    kind: 'counter',
    name: 'connections_refused_full_total',
    help: 'Connections closed at once, because there were too many.',
    read: ({ stats }) => stats.refusedConnections.full,
  },
  {
    kind: 'counter',
    name: 'connections_refused_address_total',
    help: 'Connections closed at once, because there were too many from their address.',
    read: ({ stats }) => stats.refusedConnections.address,
  },
  {
    kind: 'counter',
    name: 'connections_refused_rate_total',
    help: 'Connections closed at once, because too many came in a second.',
    read: ({ stats }) => stats.refusedConnections.rate,
  },
  {
    kind: 'counter',
    name: 'accept_failures_total',
    help: 'Times that the system could not accept a connection: no file descriptor was left, for example.',
    read: ({ stats }) => stats.acceptFailures,
  },
  {
    kind: 'counter',
    name: 'connect_timeouts_total',
    help: 'Connections ended because CONNECT did not come in time.',
    read: ({ stats }) => stats.connectTimeouts,
  },
  {
    kind: 'counter',
    name: 'oversized_connects_total',
    help: 'Connections ended because their CONNECT was too large.',
    read: ({ stats }) => stats.oversizedConnects,
  },
  {
    kind: 'counter',
    name: 'tls_failures_total',
    help: 'TLS handshakes that failed.',
    read: ({ stats }) => stats.tlsFailures,
  },
  {
    kind: 'gauge',
    name: 'sessions',
    help: 'Sessions, with or without a connection.',
    read: ({ sessions }) => sessions.count,
  },
  {
    kind: 'counter',
    name: 'expired_sessions_total',
    help: 'Sessions that ended because their expiry interval had passed.',
    read: ({ stats }) => stats.expired,
  },
  {
    kind: 'gauge',
    name: 'subscriptions',
    help: 'Subscriptions of all sessions.',
    read: ({ router }) => router.subscriptionCount,
  },
  {
    kind: 'gauge',
    name: 'shared_subscriptions',
    help: 'Those of them that are shared, one for each member of a group.',
    read: ({ router }) => router.sharedCount,
  },
  {
    kind: 'counter',
    name: 'refused_logins_total',
    help: 'Clients that were not let in by authentication.',
    read: ({ stats }) => stats.refusedLogins,
  },
  {
    kind: 'counter',
    name: 'quota_disconnects_total',
    help: 'Clients disconnected because too many messages of QoS 1 and 2 waited for them.',
    read: ({ stats }) => stats.quotaDisconnects,
  },
  {
    kind: 'counter',
    name: 'receive_maximum_disconnects_total',
    help: 'Clients disconnected because they sent more messages of QoS 1 and 2 than they may have unacknowledged.',
    read: ({ stats }) => stats.receiveMaximumDisconnects,
  },
  {
    kind: 'counter',
    name: 'refused_subscriptions_total',
    help: 'Subscriptions not granted, because the client has as many as it may.',
    read: ({ stats }) => stats.subscriptionsRefused,
  },
  {
    kind: 'counter',
    name: 'refused_sessions_total',
    help: 'Sessions that ended with their connection, because there are as many as may be.',
    read: ({ stats }) => stats.sessionsRefused,
  },
  {
    kind: 'counter',
    name: 'slowed_publishers_total',
    help: 'How often a client was not read for a while, because it sends too fast.',
    read: ({ stats }) => stats.slowedDown,
  },
  {
    kind: 'gauge',
    name: 'held_connections',
    help: 'Connections that are not read: they wait for room in a ring, or for subscribers that lag behind.',
    read: ({ heldConnections }) => heldConnections,
  },
];
