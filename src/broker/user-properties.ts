import type { UserProperties } from 'mqtt-packet';

/** User properties, in one of the two forms or both. */
export interface WithUserProperties {
  /** By name; a name that stands there more than once has all of its values. */
  userProperties?: UserProperties;
  /** name, value, name, value ... in the order of their sender, where an object by name cannot keep it. */
  userPairs?: string[];
}

/** Keys come from the wire: the object has no prototype. `pairs`: name, value, name, value ... */
export function ofPairs(pairs: string[]): WithUserProperties {
  const userProperties = Object.create(null) as UserProperties;
  for (let at = 0; at < pairs.length; at += 2) {
    const [name, value] = [pairs[at], pairs[at + 1]];
    const known = userProperties[name];
    if (known === undefined) userProperties[name] = value;
    else if (Array.isArray(known)) known.push(value);
    else userProperties[name] = [known, value];
  }
  const found = { userProperties };
  const kept = pairsOf(found);
  return pairs.every((text, at) => text === kept[at]) ? found : { ...found, userPairs: pairs };
}

/** In the order of their sender [MQTT-3.3.2-18] [MQTT-3.1.3-10]: name, value, name, value ... */
export function pairsOf({ userProperties, userPairs }: WithUserProperties): string[] {
  if (userPairs !== undefined) return userPairs;
  return Object.entries(userProperties ?? {}).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).flatMap((one) => [name, one]),
  );
}
