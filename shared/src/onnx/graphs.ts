import { dtypes } from '../tensor/dtype.ts';
import { encodeModel, typeCodes, type Initializer, type OnnxType, type ValueInfo } from './writer.ts';

/** K and N of a B that becomes part of the session. */
export interface ResidentShape {
  readonly rows: number;
  readonly columns: number;
}

/** The "file" under which a resident B is handed to the session. */
export const RESIDENT_B = 'B.bin';

type OperandType = Exclude<OnnxType, 'int64'>;

export interface ProductTypes {
  readonly a: OperandType;
  readonly b: OperandType;
}

/**
 * C (M x N) = A (M x K) * B (K x N); inputs 'A' and 'B', output 'C'. With `resident`, B is an initializer in the external file
 * RESIDENT_B, which lets the runtime pack it once or keep it on the device.
 *
 * Types: float32 or float64 for both (C is the same), or any mix of int8 and uint8 (C is int32, exact). A uint8 operand stands
 * for int8 values shifted up by 128: some CPUs multiply uint8 much faster, and the zero point takes the shift back.
 */
export function matrixProduct(types: ProductTypes, resident?: ResidentShape): Uint8Array<ArrayBuffer> {
  const integer = types.a === 'int8' || types.a === 'uint8';
  const zeroPoints = integer ? [zeroPoint('zeroA', types.a), zeroPoint('zeroB', types.b)] : [];
  const a: ValueInfo = { name: 'A', type: types.a, dims: ['M', 'K'] };
  const b: ValueInfo = { name: 'B', type: types.b, dims: ['K', 'N'] };
  return encodeModel({
    name: 'product',
    nodes: [
      {
        op: integer ? 'MatMulInteger' : 'MatMul',
        inputs: ['A', 'B', ...zeroPoints.map(({ name }) => name)],
        outputs: ['C'],
      },
    ],
    initializers: resident ? [...zeroPoints, externalB(types.b, resident)] : zeroPoints,
    inputs: resident ? [a] : [a, b],
    outputs: [{ name: 'C', type: integer ? 'int32' : types.a, dims: ['M', 'N'] }],
  });
}

const zeroPoint = (name: string, type: OnnxType): Initializer => ({
  name,
  type,
  dims: [],
  raw: Uint8Array.of(type === 'uint8' ? 128 : 0),
});

function externalB(type: OperandType, { rows, columns }: ResidentShape): Initializer {
  const elementBytes = type === 'uint8' ? 1 : dtypes[type].bytes;
  return { name: 'B', type, dims: [rows, columns], location: RESIDENT_B, bytes: rows * columns * elementBytes };
}

/**
 * C (M x N) = A (M x K) * B (K x N) in float64, with integers for A: exact as long as every sum stays below 2^53. The cast
 * within the graph is four times as fast as one in JavaScript.
 */
export function wideProduct(a: 'int8' | 'int32'): Uint8Array<ArrayBuffer> {
  return encodeModel({
    name: 'wide product',
    nodes: [
      { op: 'Cast', inputs: ['A'], outputs: ['wide'], int: { to: typeCodes.float64 } },
      { op: 'MatMul', inputs: ['wide', 'B'], outputs: ['C'] },
    ],
    initializers: [],
    inputs: [
      { name: 'A', type: a, dims: ['M', 'K'] },
      { name: 'B', type: 'float64', dims: ['K', 'N'] },
    ],
    outputs: [{ name: 'C', type: 'float64', dims: ['M', 'N'] }],
  });
}

/** Y = Conv(X, W), stride 1, `pad` zeros on each side, float32, NCHW. */
export function convolution(pad: number): Uint8Array<ArrayBuffer> {
  return encodeModel({
    name: 'convolution',
    nodes: [{ op: 'Conv', inputs: ['X', 'W'], outputs: ['Y'], ints: { pads: [pad, pad, pad, pad] } }],
    initializers: [],
    inputs: [float32('X', ['n', 'c', 'h', 'w']), float32('W', ['o', 'c', 'kh', 'kw'])],
    outputs: [float32('Y', ['n', 'o', 'yh', 'yw'])],
  });
}

const float32 = (name: string, dims: readonly string[]): ValueInfo => ({ name, type: 'float32', dims });
