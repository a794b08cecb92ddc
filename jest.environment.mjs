import { TestEnvironment } from 'jest-environment-node';

const TYPED_ARRAYS = [
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'ArrayBuffer',
  'SharedArrayBuffer',
  'DataView',
];

/**
 * Tests run in a realm of their own. Bytes that come from outside it (native addons, worker threads, `structuredClone`)
 * would fail `instanceof Float64Array` and deep equality there, so the sandbox gets the outer constructors.
 */
export default class SharedTypedArraysEnvironment extends TestEnvironment {
  async setup() {
    await super.setup();
    for (const name of TYPED_ARRAYS) this.global[name] = globalThis[name];
  }
}
