/** Counters of the broker since its start, read by `$SYS/broker/...` and by metrics. Bytes of messages are their payloads. */
export class BrokerStats {
  /** MQTT packets of all kinds. */
  packetsReceived = 0;
  packetsSent = 0;
  /** All bytes of MQTT, without what TLS and WebSockets put around them. */
  wireBytesReceived = 0;
  wireBytesSent = 0;
  /** PUBLISH packets of clients, those that repeat or are refused included. */
  received = 0;
  bytesReceived = 0;
  /** PUBLISH packets to clients. */
  sent = 0;
  bytesSent = 0;
  /** Messages published from inside: the embedder's, wills, answers to requests. */
  inside = 0;
  /** Not delivered to one subscriber, or to nobody of a group: too slow, away, takes no packets of that size, or may not read it any more. */
  dropped = 0;
  /** Not routed: the topic is reserved, or the rules do not allow it. */
  refused = 0;
  /** Clients disconnected because too much of QoS 1 and 2 waited for them. */
  quotaDisconnects = 0;
  /** CONNECTs that were not let in. */
  refusedLogins = 0;
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
  /** Not routed: they have gone out over a bridge before. */
  returned = 0;
  /** Of now. */
  connections = 0;
  /** Connections that were accepted. */
  accepted = 0;
  /** CONNECT packets. */
  connects = 0;
  /** Sessions that ended because their expiry interval had passed. */
  expired = 0;
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
