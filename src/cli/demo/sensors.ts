/** What sends messages in the simulated vehicle. Contents depend on the number of the message alone, and on time. */
export interface Sensor {
  readonly name: string;
  /** Messages a second. */
  readonly rate: number;
  readonly transport: 'tcp' | 'ws';
  readonly protocolVersion: 4 | 5;
  readonly qos: (number: number) => 0 | 1 | 2;
  readonly retain: boolean;
  /** MQTT 5 only. */
  readonly contentType?: string;
  readonly topic: (number: number) => string;
  /** `now` in ms. */
  readonly payload: (number: number, now: number) => Buffer;
}

const CAN_IDS = Array.from({ length: 24 }, (_, i) => 0x100 + i * 0x11);
/** Of a CAN frame's payload here: number, id, and when it was sent. */
const STAMP_AT = 8;
const LIDAR_BYTES = 256 * 1024;

export const BATTERY_TOPIC = 'vehicle/battery/state';
export const CAN_FILTER = 'vehicle/can/#';

export const SENSORS: readonly Sensor[] = [
  {
    name: 'can',
    rate: 2000,
    transport: 'tcp',
    protocolVersion: 4,
    // Some must arrive.
    qos: (number) => (number % 20 === 0 ? 1 : 0),
    retain: false,
    topic: (number) => `vehicle/can/0x${canId(number).toString(16)}`,
    payload: (number, now) => {
      const frame = Buffer.alloc(16);
      frame.writeUInt32LE(number, 0);
      frame.writeUInt32LE(canId(number), 4);
      frame.writeDoubleLE(now, STAMP_AT);
      return frame;
    },
  },
  {
    name: 'gps',
    rate: 10,
    transport: 'tcp',
    protocolVersion: 5,
    qos: () => 1,
    retain: false,
    contentType: 'application/json',
    topic: () => 'vehicle/gps',
    payload: (number) =>
      Buffer.from(
        JSON.stringify({
          number,
          lat: 48.1371 + Math.sin(number / 300) / 100,
          lon: 11.5754 + Math.cos(number / 300) / 100,
          speed: 13 + (number % 7),
        }),
      ),
  },
  {
    name: 'radar',
    rate: 20,
    transport: 'tcp',
    protocolVersion: 5,
    qos: () => 2,
    retain: false,
    contentType: 'application/json',
    topic: (number) => `vehicle/radar/${number % 2 === 0 ? 'front' : 'rear'}`,
    payload: (number) => {
      const objects = Array.from({ length: 1 + (number % 8) }, (_, i) => ({
        id: number * 8 + i,
        distance: 5 + ((number * 7 + i * 13) % 120),
        speed: ((number + i) % 40) - 20,
      }));
      return Buffer.from(JSON.stringify({ number, objects }));
    },
  },
  {
    name: 'lidar',
    rate: 10,
    transport: 'ws',
    protocolVersion: 5,
    qos: (number) => (number % 2 === 0 ? 1 : 0),
    retain: false,
    contentType: 'application/octet-stream',
    topic: () => 'vehicle/lidar/top',
    payload: (number) => noise(number, LIDAR_BYTES),
  },
  {
    name: 'battery',
    rate: 2,
    transport: 'tcp',
    protocolVersion: 4,
    qos: () => 1,
    retain: true,
    topic: () => BATTERY_TOPIC,
    payload: (number) => Buffer.from(JSON.stringify({ number, charge: 80 - number / 100, volts: 398.5 })),
  },
];

/** When a CAN frame was sent. */
export function stampOf(frame: Buffer): number {
  return frame.readDoubleLE(STAMP_AT);
}

function canId(number: number): number {
  return CAN_IDS[(number * 7) % CAN_IDS.length];
}

/** Bytes that do not compress, the same for the same seed (xorshift32). */
function noise(seed: number, bytes: number): Buffer {
  const words = new Uint32Array(bytes / 4);
  let state = seed + 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return Buffer.from(words.buffer);
}
