/** Counters of the broker, read by metrics. Messages are PUBLISH packets, bytes their payloads. */
export class BrokerStats {
  received = 0;
  bytesReceived = 0;
  sent = 0;
  bytesSent = 0;
  /** Not delivered to one subscriber: it read too slowly, or takes no packets of that size. */
  dropped = 0;
  /** Not routed: reserved topic. */
  refused = 0;
  /** Clients disconnected because too much of QoS 1 and 2 waited for them. */
  quotaDisconnects = 0;
  connections = 0;
  /** Closed when they were accepted: too many altogether, of one address, in a second. */
  readonly refusedConnections = { full: 0, address: 0, rate: 0 };
  /** The system could not accept a connection. */
  acceptFailures = 0;
  /** Connections on which CONNECT did not come in time, and those on which it was too large. */
  connectTimeouts = 0;
  oversizedConnects = 0;
  /** TLS connections on which no agreement was reached. */
  tlsFailures = 0;
}
