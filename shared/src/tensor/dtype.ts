/** Element types that a matrix may have on the wire, in `.npy` files and in results. */
export const dtypes = {
  float32: { bytes: 4, npy: '<f4', onnx: 1 },
  float64: { bytes: 8, npy: '<f8', onnx: 11 },
  int8: { bytes: 1, npy: '|i1', onnx: 3 },
  int32: { bytes: 4, npy: '<i4', onnx: 6 },
} as const;

export type Dtype = keyof typeof dtypes;
/** Element types that an operand of a product may have. */
export type OperandDtype = 'float32' | 'float64' | 'int8';

export const operandDtypes: readonly OperandDtype[] = ['float32', 'float64', 'int8'];

export const isOperandDtype = (name: string): name is OperandDtype =>
  (operandDtypes as readonly string[]).includes(name);

/** int8 operands give an exact int32 product; the others keep their type. */
export const productDtype = (operand: OperandDtype): Dtype => (operand === 'int8' ? 'int32' : operand);

interface ElementsOf {
  float32: Float32Array;
  float64: Float64Array;
  int8: Int8Array;
  int32: Int32Array;
}

export type Elements<T extends Dtype = Dtype> = ElementsOf[T];

const constructors = { float32: Float32Array, float64: Float64Array, int8: Int8Array, int32: Int32Array };

/** `count` zeros. */
export function zeros<T extends Dtype>(dtype: T, count: number): Elements<T> {
  return new constructors[dtype](count) as Elements<T>;
}

/**
 * The bytes seen as elements, without a copy where alignment allows it (received frames are only 8-byte
 * aligned at best), else copied once.
 */
export function elementsOf<T extends Dtype>(dtype: T, bytes: Uint8Array): Elements<T> {
  const size = dtypes[dtype].bytes;
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return new constructors[dtype](
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    aligned.byteLength / size,
  ) as Elements<T>;
}

export const bytesOf = (elements: Elements): Uint8Array<ArrayBuffer> =>
  new Uint8Array(elements.buffer as ArrayBuffer, elements.byteOffset, elements.byteLength);
