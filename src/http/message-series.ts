import type { Broker } from '../broker/broker.js';
import type { Series } from './series.js';

/** What comes from clients and goes to them. Counters count since the start of the process. */
export const MESSAGE_SERIES: readonly Series<Broker>[] = [
  {
    kind: 'gauge',
    name: 'retained_messages',
    help: 'Retained messages.',
    read: ({ retained }) => retained.count,
  },
  {
    kind: 'gauge',
    name: 'retained_bytes',
    help: 'Payload bytes of the retained messages.',
    read: ({ retained }) => retained.bytes,
  },
  {
    kind: 'counter',
    name: 'received_packets_total',
    help: 'MQTT packets of all kinds that clients sent.',
    read: ({ stats }) => stats.packetsReceived,
  },
  {
    kind: 'counter',
    name: 'sent_packets_total',
    help: 'MQTT packets of all kinds sent to clients.',
    read: ({ stats }) => stats.packetsSent,
  },
  {
    kind: 'counter',
    name: 'received_wire_bytes_total',
    help: 'All bytes of MQTT that clients sent.',
    read: ({ stats }) => stats.wireBytesReceived,
  },
  {
    kind: 'counter',
    name: 'sent_wire_bytes_total',
    help: 'All bytes of MQTT sent to clients.',
    read: ({ stats }) => stats.wireBytesSent,
  },
  {
    kind: 'counter',
    name: 'received_messages_total',
    help: 'Messages published by clients, those that are refused or repeated included.',
    read: ({ stats }) => stats.received,
  },
  {
    kind: 'counter',
    name: 'received_bytes_total',
    help: 'Payload bytes of the messages published by clients.',
    read: ({ stats }) => stats.bytesReceived,
  },
  {
    kind: 'counter',
    name: 'inside_messages_total',
    help: 'Messages published from inside: by the embedder, wills, and answers to requests.',
    read: ({ stats }) => stats.inside,
  },
  {
    kind: 'counter',
    name: 'sent_messages_total',
    help: 'Messages sent to subscribers, one for each of them.',
    read: ({ stats }) => stats.sent,
  },
  {
    kind: 'counter',
    name: 'sent_bytes_total',
    help: 'Payload bytes sent to subscribers.',
    read: ({ stats }) => stats.bytesSent,
  },
  {
    kind: 'counter',
    name: 'dropped_deliveries_total',
    help: 'Messages not delivered to one subscriber, or to none of a group: too slow, away, or takes no packets of that size.',
    read: ({ stats }) => stats.dropped,
  },
  {
    kind: 'counter',
    name: 'refused_publishes_total',
    help: 'Messages not routed, because their topic is reserved or the rules do not allow it.',
    read: ({ stats }) => stats.refused,
  },
  {
    kind: 'counter',
    name: 'returned_publishes_total',
    help: 'Messages not routed, because they have gone out of this broker over a bridge before.',
    read: ({ stats }) => stats.returned,
  },
  {
    kind: 'counter',
    name: 'refused_retained_total',
    help: 'Messages routed but not retained, because there are as many as may be.',
    read: ({ stats }) => stats.retainedRefused,
  },
  {
    kind: 'gauge',
    name: 'delivery_queue_messages',
    help: 'Messages that wait for connected subscribers.',
    read: ({ queued }) => queued.messages,
  },
  {
    kind: 'gauge',
    name: 'delivery_queue_bytes',
    help: 'Bytes that wait for connected subscribers.',
    read: ({ queued }) => queued.bytes,
  },
];
