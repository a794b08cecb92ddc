import {
  matrixProduct,
  productDtype,
  wideProduct,
  zeros,
  type Dtype,
  type Elements,
  type OperandDtype,
} from '@muster/shared';
import { InferenceSession, Tensor } from 'onnxruntime-node';

/** Float32 for float32 operands, else float64: exact for integers. */
export type Vector = Float32Array | Float64Array;

/** Row-major. */
export interface LeftMatrix {
  readonly dtype: Dtype;
  readonly elements: Elements;
  readonly rows: number;
  readonly depth: number;
}

/** Left matrices that a check of this operand type multiplies: the operands, and their product. */
const leftDtypes = (operand: OperandDtype): readonly Dtype[] => [...new Set([operand, productDtype(operand)])];

/** Thin products on one thread: a pool would take cores from the providers on this machine. */
export class Products {
  readonly #sessions = new Map<Dtype, InferenceSession>();

  /** To be called before `multiply`: opening a session takes 1 to 30 ms. */
  async prepare(operand: OperandDtype): Promise<void> {
    for (const dtype of leftDtypes(operand)) {
      if (!this.#sessions.has(dtype)) this.#sessions.set(dtype, await openSession(dtype));
    }
  }

  /** left (rows x depth) * right (depth x width): rows x width, in fresh memory. */
  async multiply({ dtype, elements, rows, depth }: LeftMatrix, right: Vector): Promise<Vector> {
    const session = this.#sessions.get(dtype);
    if (session === undefined) throw new Error(`no product is prepared for ${dtype}`);
    const width = right.length / depth;
    const rightDtype = right instanceof Float32Array ? 'float32' : 'float64';
    const { C: product } = await session.run({
      A: new Tensor(dtype, elements, [rows, depth]),
      B: new Tensor(rightDtype, right, [depth, width]),
    });
    return product?.data as Vector;
  }
}

async function openSession(dtype: Dtype): Promise<InferenceSession> {
  const wide = dtype === 'int8' || dtype === 'int32';
  return InferenceSession.create(wide ? wideProduct(dtype) : matrixProduct({ a: dtype, b: dtype }), {
    executionProviders: ['cpu'],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
  });
}

export const vectorFor = (operand: OperandDtype, length: number): Vector =>
  zeros(operand === 'float32' ? 'float32' : 'float64', length);
