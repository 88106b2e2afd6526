/** Counters of the broker, read by metrics. Messages are PUBLISH packets, bytes their payloads. */
export class BrokerStats {
  received = 0;
  bytesReceived = 0;
  sent = 0;
  bytesSent = 0;
  /** Not delivered to one subscriber, or to nobody of a group: too slow, away, or takes no packets of that size. */
  dropped = 0;
  /** Not routed: reserved topic. */
  refused = 0;
  /** Clients disconnected because too much of QoS 1 and 2 waited for them. */
  quotaDisconnects = 0;
  /** Clients disconnected because they sent more than they may before it was acknowledged. */
  receiveMaximumDisconnects = 0;
  /** Beyond the limits: subscriptions not granted, messages routed but not retained, requests refused. */
  subscriptionsRefused = 0;
  retainedRefused = 0;
  requestsRefused = 0;
  /** Sessions that would have outlived their connection, and there were too many. */
  sessionsRefused = 0;
  /** How often a client was not read for a while because it sent too fast. */
  slowedDown = 0;
  connections = 0;
}
