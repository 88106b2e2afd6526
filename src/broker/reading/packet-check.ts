import { levelsFault, topicFault } from '../../topics.js';
import type { Packet } from '../aedes-internals.js';
import { type PacketFault, PROTOCOL_ERROR, TOPIC_NAME_INVALID } from '../packet-fault.js';
import { type PropertyPlace, propertyFault } from './properties.js';

const CLIENT_IDENTIFIER_NOT_VALID = 0x85;
const TOPIC_ALIAS_INVALID = 0x94;

/** What mqtt-packet lets through though neither aedes nor our handlers may see it; null: nothing is wrong. */
export function packetFault(packet: Packet, mostLevels: number): PacketFault | null {
  switch (packet.cmd) {
    case 'connect': {
      const { clientId, will, properties } = packet;
      // What is not UTF-8 grows when it is decoded.
      if (Buffer.byteLength(clientId) > 65_535) {
        return { text: 'the client identifier is not well-formed', reason: CLIENT_IDENTIFIER_NOT_VALID };
      }
      const fault = propertiesFault('connect', properties);
      if (fault !== null || will === undefined) return fault;
      if ((will.qos ?? 0) > 2) return protocolError('a will has QoS 0, 1 or 2 [MQTT-3.1.2-12]');
      return messageFault('will', will, mostLevels);
    }
    case 'publish':
      if (packet.properties?.topicAlias !== undefined) {
        // We advertise no Topic Alias Maximum, so every alias is invalid [MQTT-3.3.2-9].
        return { text: 'topic aliases are not supported', reason: TOPIC_ALIAS_INVALID };
      }
      return (packet.qos > 0 ? identifierFault(packet) : null) ?? messageFault('publish', packet, mostLevels);
    case 'subscribe':
      if (packet.subscriptions.length === 0) return protocolError('no topic filter [MQTT-3.8.3-2]');
      return identifierFault(packet) ?? propertiesFault('subscribe', packet.properties);
    case 'unsubscribe':
      if (packet.unsubscriptions.length === 0) return protocolError('no topic filter [MQTT-3.10.3-2]');
      return identifierFault(packet) ?? propertiesFault('unsubscribe', packet.properties);
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return identifierFault(packet) ?? propertiesFault(packet.cmd, packet.properties);
    case 'disconnect':
      return propertiesFault('disconnect', packet.properties);
    default:
      return null;
  }
}

function messageFault(
  place: 'will' | 'publish',
  { topic, properties }: { topic: string; properties?: { responseTopic?: string } },
  mostLevels: number,
): PacketFault | null {
  const text = topicFault(topic) ?? levelsFault(topic, mostLevels);
  if (text !== null) return { text, reason: TOPIC_NAME_INVALID };
  if (properties === undefined) return null;
  const fault = propertiesFault(place, properties);
  if (fault !== null || properties.responseTopic === undefined) return fault;
  const response = topicFault(properties.responseTopic);
  return response === null ? null : protocolError(`response topic: ${response}`);
}

function propertiesFault(place: PropertyPlace, properties: object | undefined): PacketFault | null {
  const text = propertyFault(place, properties);
  return text === null ? null : protocolError(text);
}

/** A packet identifier is not 0 [MQTT-2.2.1-3]; mqtt-packet makes -1 of one that is cut off. */
function identifierFault({ messageId }: Packet): PacketFault | null {
  return (messageId ?? 0) > 0 ? null : protocolError('the packet identifier is missing [MQTT-2.2.1-3]');
}

function protocolError(text: string): PacketFault {
  return { text, reason: PROTOCOL_ERROR };
}
