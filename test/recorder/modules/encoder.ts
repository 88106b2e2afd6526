/** The real encoder, except that as many calls as a shared word says end in a WebAssembly trap. */
import { type Encoder, parquetEncoder } from '../../../src/recorder/files/parquet.js';

interface WebAssemblyApi {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: { trap(): void } };
}

/** (module (func (export "trap") unreachable)) */
const TRAP = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 8, 1, 4, 116, 114, 97, 112, 0, 0, 10, 5, 1,
  3, 0, 0, 11,
];

export const POISON = 3;

export function createEncoder(data: unknown): Encoder {
  const { words } = data as { words: Int32Array };
  const { Module, Instance } = Reflect.get(globalThis, 'WebAssembly') as WebAssemblyApi;
  const { trap } = new Instance(new Module(Uint8Array.from(TRAP))).exports;
  return {
    encode(...args) {
      if (Atomics.load(words, POISON) > 0) {
        Atomics.sub(words, POISON, 1);
        trap();
      }
      return parquetEncoder.encode(...args);
    },
  };
}
