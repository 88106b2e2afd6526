/** How a subscriber gets a message. */
export interface Variant {
  readonly version5: boolean;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  /** Subscription identifiers, MQTT 5 section 3.3.2.3.8. */
  readonly identifiers: readonly number[] | null;
  /** The place among those without identifiers; -1: it has some. */
  readonly index: number;
}

const VARIANTS = 12;

const PLAIN: readonly Variant[] = Array.from({ length: VARIANTS }, (_, index) => ({
  version5: (index & 2) !== 0,
  qos: (index >> 2) as 0 | 1 | 2,
  retain: (index & 1) !== 0,
  identifiers: null,
  index,
}));

export function variantIndex(version5: boolean, qos: number, retain: boolean): number {
  return qos * 4 + (version5 ? 2 : 0) + (retain ? 1 : 0);
}

/** Without identifiers it is one of twelve, and nothing is allocated. */
export function variantOf(
  version5: boolean,
  qos: number,
  retain: boolean,
  identifiers: readonly number[] | null,
): Variant {
  const plain = PLAIN[variantIndex(version5, qos, retain)];
  return identifiers === null ? plain : { ...plain, identifiers, index: -1 };
}
