/** `.npy` files of any number of dimensions and any type of number, for data sets. Matrices to be multiplied: `npy.ts`. */
import { elementCount } from './shape.ts';
import { MusterError } from '../errors.ts';
import { bigEndian, convert, descrText, readNpyFields } from './npy-fields.ts';

export type Numbers =
  Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array;

/** An array in C order. */
export interface NumberArray {
  readonly shape: readonly number[];
  readonly elements: Numbers;
  /** Can the element type hold whole numbers only? */
  readonly whole: boolean;
}

/** NumPy's letters, without the byte order. 64-bit integers become doubles: exact up to 2^53. */
const TYPES = {
  b1: { bytes: 1, whole: true, read: (raw: ArrayBuffer): Numbers => new Uint8Array(raw) },
  u1: { bytes: 1, whole: true, read: (raw: ArrayBuffer): Numbers => new Uint8Array(raw) },
  i1: { bytes: 1, whole: true, read: (raw: ArrayBuffer): Numbers => new Int8Array(raw) },
  u2: { bytes: 2, whole: true, read: (raw: ArrayBuffer): Numbers => new Uint16Array(raw) },
  i2: { bytes: 2, whole: true, read: (raw: ArrayBuffer): Numbers => new Int16Array(raw) },
  u4: { bytes: 4, whole: true, read: (raw: ArrayBuffer): Numbers => new Uint32Array(raw) },
  i4: { bytes: 4, whole: true, read: (raw: ArrayBuffer): Numbers => new Int32Array(raw) },
  u8: {
    bytes: 8,
    whole: true,
    read: (raw: ArrayBuffer): Numbers => Float64Array.from(new BigUint64Array(raw), Number),
  },
  i8: { bytes: 8, whole: true, read: (raw: ArrayBuffer): Numbers => Float64Array.from(new BigInt64Array(raw), Number) },
  f4: { bytes: 4, whole: false, read: (raw: ArrayBuffer): Numbers => new Float32Array(raw) },
  f8: { bytes: 8, whole: false, read: (raw: ArrayBuffer): Numbers => new Float64Array(raw) },
} as const;

const isKnown = (type: string): type is keyof typeof TYPES => Object.hasOwn(TYPES, type);

/** The array in a whole file. Throws BAD_DATA with the command that repairs the file; `path` only appears in the texts. */
export function parseNpyArray(bytes: Uint8Array, path: string): NumberArray {
  const { descr, shape, fortranOrder, dataOffset } = readNpyFields(bytes, path);
  const type = typeOf(descrText(descr, path), path);
  const { bytes: each, whole, read } = TYPES[type];
  if (shape.includes(0))
    throw bad(`${path} is empty`, `its shape is (${shape.join(', ')})`, 'give at least one sample');
  if (fortranOrder && shape.length > 1) {
    throw bad(
      `${path} is in Fortran order`,
      'a sample does not lie in one piece',
      `np.save('${path}', np.ascontiguousarray(a))`,
    );
  }
  checkLength({ expected: elementCount(shape) * each, found: bytes.byteLength - dataOffset }, path);
  // Copied, because elements are rarely aligned in the memory that the file was read into.
  return { shape, elements: read(new Uint8Array(bytes.subarray(dataOffset)).buffer), whole };
}

function typeOf(descr: string, path: string): keyof typeof TYPES {
  const [, order = '', type = ''] = /^([<>=|]?)(.*)$/s.exec(descr) ?? [];
  if (isKnown(type) && order === '>' && TYPES[type].bytes > 1) throw bigEndian(descr, `<${type}`, path);
  if (isKnown(type)) return type;
  throw bad(
    `${path} has an element type that no data set has`,
    `its dtype is '${descr}'; known are ${Object.keys(TYPES).join(', ')}`,
    convert(path, '<f4'),
  );
}

function checkLength({ expected, found }: { expected: number; found: number }, path: string): void {
  if (expected === found) return;
  throw bad(
    found < expected ? `${path} is truncated` : `${path} has bytes behind its last element`,
    `its elements need ${expected} bytes, the file has ${found} behind its header`,
    `write or copy the file again: np.save('${path}', a)`,
  );
}

const bad = (what: string, why: string, fix: string): MusterError => new MusterError('BAD_DATA', what, { why, fix });
