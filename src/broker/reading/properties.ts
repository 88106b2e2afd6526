/** Which properties a client may send in which packet, and what they look like (MQTT 5 section 2.2.2.2). */

const MOST_BYTES = 65_535;

type Check = (value: unknown) => boolean;

const whole: Check = (value) => Number.isInteger(value) && (value as number) >= 0;
const positive: Check = (value) => Number.isInteger(value) && (value as number) > 0;
const flag: Check = (value) => typeof value === 'boolean';
/** What is not UTF-8 grows when it is decoded: it may be too long to be written again. */
const text: Check = (value) =>
  typeof value === 'string' && (value.length <= MOST_BYTES / 3 || Buffer.byteLength(value) <= MOST_BYTES);
const bytes: Check = (value) => Buffer.isBuffer(value);
/** The only property that may be repeated. */
const pairs: Check = (value) =>
  Object.entries(value as object).every(
    ([name, one]) => text(name) && (Array.isArray(one) ? one.every(text) : text(one)),
  );

const message = {
  payloadFormatIndicator: flag,
  messageExpiryInterval: whole,
  contentType: text,
  responseTopic: text,
  correlationData: bytes,
  userProperties: pairs,
};
const acknowledgement = table({ reasonString: text, userProperties: pairs });

const ALLOWED = {
  connect: table({
    sessionExpiryInterval: whole,
    receiveMaximum: positive,
    maximumPacketSize: positive,
    topicAliasMaximum: whole,
    requestResponseInformation: flag,
    requestProblemInformation: flag,
    authenticationMethod: text,
    authenticationData: bytes,
    userProperties: pairs,
  }),
  will: table({ ...message, willDelayInterval: whole }),
  publish: table({ ...message, topicAlias: whole }),
  subscribe: table({ subscriptionIdentifier: positive, userProperties: pairs }),
  unsubscribe: table({ userProperties: pairs }),
  puback: acknowledgement,
  pubrec: acknowledgement,
  pubrel: acknowledgement,
  pubcomp: acknowledgement,
  disconnect: table({ sessionExpiryInterval: whole, reasonString: text, userProperties: pairs }),
};

export type PropertyPlace = keyof typeof ALLOWED;

/**
 * Why properties cannot be accepted, or null. mqtt-packet makes an array of one that is repeated, and null, undefined
 * or -1 of one that is cut short: values that throw later, where nobody catches.
 */
export function propertyFault(place: PropertyPlace, properties: object | undefined): string | null {
  if (properties === undefined) return null;
  for (const [name, value] of Object.entries(properties)) {
    const check = ALLOWED[place].get(name);
    if (check === undefined) return `property ${name} does not belong to ${place}`;
    if (value === null || !check(value)) return `property ${name} of ${place} is not well-formed`;
  }
  return null;
}

function table(checks: Record<string, Check>): ReadonlyMap<string, Check> {
  return new Map(Object.entries(checks));
}
