/** Counters of a bridge since the start of the process. Messages are PUBLISH packets, bytes their payloads. */
export class BridgeStats {
  connected = false;
  /** Connections that were made. */
  connections = 0;
  sent = 0;
  bytesSent = 0;
  received = 0;
  bytesReceived = 0;
  /** Not sent: there was no connection, or too much waited. */
  dropped = 0;
  /** Not taken by the other broker, or not by this one. */
  refused = 0;
  /** Not sent: their Message Expiry Interval had passed. */
  expired = 0;
  /** Came back, or would have. */
  loops = 0;
  /** Of the stream: what was missing where messages were to be sent; in how many places, and at most how many. */
  gaps = 0;
  missed = 0;
}
