/** The section `limits` of the configuration. */
import { z } from 'zod';
import { duration, size, whole } from './quantity.js';
import { MAX_TIMER } from './stream.js';

const KIB = 1024;
const MIB = 1024 * KIB;
/** MQTT's own bound. */
const MOST_TOPIC_BYTES = 65_535;

export const limitsSchema = z
  .strictObject({
    /** Largest MQTT packet taken from a client, bytes; MQTT itself ends at 256 MiB - 1. */
    packetBytes: size({ min: KIB, max: 256 * MIB - 1 }).prefault('64MiB'),
    /** What may wait for one slow client, bytes. */
    clientQueueBytes: size({ min: KIB }).prefault('16MiB'),
    /** What may wait for one slow client, messages. */
    clientQueueMessages: whole(1).prefault(100_000),
    /** What happens then to QoS 1 and 2 for it; QoS 0 is dropped. */
    whenClientQueueFull: z.enum(['disconnect', 'drop']).prefault('disconnect'),
    /** What is dropped when as much waits for a client that is away. */
    whenSessionQueueFull: z.enum(['drop-newest', 'drop-oldest']).prefault('drop-newest'),
    /** Publishers do not wait longer for a subscriber that takes nothing, ms. */
    stalledAfter: duration({ min: 1, max: MAX_TIMER }).prefault('500ms'),
    /** Unacknowledged QoS 1 and 2 messages to one client; its own Receive Maximum may be less. */
    inflight: whole(1, 65_535).prefault(1000),
    /** Unacknowledged QoS 1 and 2 messages from one client: our Receive Maximum. */
    receiveMaximum: whole(1, 65_535).prefault(1000),
    /** Clients connected at the same time. */
    connections: whole(1).prefault(10_000),
    /** Of one IPv4 address or IPv6 network (/64); 0: no limit. */
    connectionsPerAddress: whole(0).prefault(0),
    /** Connections accepted in a second; more are closed at once. */
    connectionsPerSecond: whole(1).prefault(5000),
    /** From the accept to the end of CONNECT, TLS and the upgrade to WebSocket included, ms. */
    connectTimeout: duration({ min: 1, max: MAX_TIMER }).prefault('10s'),
    /** Largest CONNECT: what is kept of a client before it is known, bytes. */
    connectBytes: size({ min: KIB, max: 256 * MIB - 1 }).prefault('64KiB'),
    /** Sessions, with or without a connection; beyond it they end with their connection. */
    sessions: whole(1).prefault(20_000),
    subscriptionsPerClient: whole(1).prefault(1000),
    /** Levels of a topic or topic filter: 200 separators, as with mosquitto. */
    topicLevels: whole(1, 65_536).prefault(201),
    /** Length of a topic or topic filter. */
    topicBytes: size({ min: 1, max: MOST_TOPIC_BYTES }).prefault(MOST_TOPIC_BYTES),
    /** Longest keep-alive that a client may have, ms; 0: any. MQTT counts in seconds. */
    keepAlive: duration({ max: 65_535_000 }).prefault(0),
    /** Longest that a session outlives its connection, ms; 0: for ever. */
    sessionExpiry: duration({ max: 0xffff_fffe * 1000 }).prefault(0),
    /** Topic aliases that one client may use (MQTT 5). */
    topicAliasMaximum: whole(0, 65_535).prefault(10),
    /** Whether a payload that is said to be UTF-8 is checked, and its publisher disconnected (0x99) if it is not. */
    checkPayloadFormat: z.boolean().prefault(false),
    retainedMessages: whole(0).prefault(100_000),
    retainedBytes: size({ min: 0 }).prefault('256MiB'),
    /** PUBLISH packets read from one client, a second; 0: no limit. */
    messagesPerSecond: whole(0).prefault(0),
    /** Searches, replays and other requests being answered at the same time. */
    requests: whole(1).prefault(32),
    /** Requests of one client, a second; 0: no limit. */
    requestsPerSecond: whole(0).prefault(100),
  })
  .prefault({});
