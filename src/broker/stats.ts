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
  /** Not routed: they have gone out over a bridge before. */
  returned = 0;
  connections = 0;
}
