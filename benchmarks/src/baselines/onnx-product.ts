import { matrixProduct } from '@muster/shared';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { ONE_THREAD } from './one-thread.ts';

export interface InProcessProduct {
  /** n x n, row-major, in fresh memory. */
  readonly product: Float32Array;
  readonly ms: number;
}

/** Products of square float32 matrices in this process, each whole in one run on one thread. */
export class OnnxProduct {
  readonly #session: InferenceSession;

  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  static async open(): Promise<OnnxProduct> {
    const model = matrixProduct({ a: 'float32', b: 'float32' });
    return new OnnxProduct(await InferenceSession.create(model, ONE_THREAD));
  }

  /** A and B are n x n, row-major. The time is from operands in memory to the product in memory. */
  async multiply(a: Float32Array, b: Float32Array, n: number): Promise<InProcessProduct> {
    const startMs = performance.now();
    const feeds = { A: new Tensor('float32', a, [n, n]), B: new Tensor('float32', b, [n, n]) };
    const { C } = await this.#session.run(feeds);
    return { product: C?.data as Float32Array, ms: performance.now() - startMs };
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

/** One product on one thread of this process. The second of two runs is timed, because the first also faults memory in. */
export async function multiplyInProcess(a: Float32Array, b: Float32Array, n: number): Promise<InProcessProduct> {
  const onnx = await OnnxProduct.open();
  try {
    await onnx.multiply(a, b, n);
    return await onnx.multiply(a, b, n);
  } finally {
    await onnx.release();
  }
}
