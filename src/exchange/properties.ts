/** MQTT 5 properties of a PUBLISH that are worth keeping with it (MQTT 5 section 3.3.2.3). */
export interface KeptProperties {
  contentType?: string;
  responseTopic?: string;
  correlationData?: Uint8Array;
  userProperties?: Record<string, string | string[]>;
  messageExpiryInterval?: number;
  payloadFormatIndicator?: boolean;
}

const encoder = new TextEncoder();

/** The properties as the JSON of column `properties`; null if there are none. */
export function encodeProperties(properties: KeptProperties | undefined): Uint8Array | null {
  if (properties === undefined) return null;
  const { contentType, responseTopic, correlationData, userProperties } = properties;
  const kept: Record<string, unknown> = {};
  if (contentType !== undefined) kept.contentType = contentType;
  if (userProperties !== undefined) kept.userProperties = userProperties;
  if (responseTopic !== undefined) kept.responseTopic = responseTopic;
  if (correlationData !== undefined) kept.correlationData = Buffer.from(correlationData).toString('base64');
  if (properties.messageExpiryInterval !== undefined) {
    kept.messageExpiryInterval = properties.messageExpiryInterval;
  }
  if (properties.payloadFormatIndicator !== undefined) {
    kept.payloadFormatIndicator = properties.payloadFormatIndicator;
  }
  return Object.keys(kept).length === 0 ? null : encoder.encode(JSON.stringify(kept));
}
