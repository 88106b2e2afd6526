import type { IPublishPacket, UserProperties } from 'mqtt-packet';

export type Properties = NonNullable<IPublishPacket['properties']>;

/** User property (MQTT 5) with the ids of the brokers whose bridges a message has passed. */
export const HOPS = 'mqtt-stream-bridge';

/** Whether the message has gone out of the broker of this id before. */
export function hasPassed(
  properties: Pick<Properties, 'userProperties'> | undefined,
  brokerId: string,
): boolean {
  return hopsOf(properties?.userProperties).includes(brokerId);
}

export function withHop(properties: Properties | undefined, brokerId: string): Properties {
  const userProperties = properties?.userProperties;
  return {
    ...properties,
    userProperties: { ...userProperties, [HOPS]: [...hopsOf(userProperties), brokerId] },
  };
}

function hopsOf(userProperties: UserProperties | undefined): readonly string[] {
  if (userProperties === undefined || !Object.hasOwn(userProperties, HOPS)) return [];
  const hops = userProperties[HOPS];
  return typeof hops === 'string' ? [hops] : hops;
}
