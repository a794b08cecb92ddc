import { matrixProduct, RESIDENT_B, type Elements, type OperandDtype, type ProductTypes } from '@muster/shared';
import { InferenceSession, type Tensor } from 'onnxruntime-node';
import type { Multiplier, Panel, ResidentPanel } from './backend.ts';
import type { SessionOptions } from './onnx-options.ts';
import { onnxTensor } from './onnx-tensor.ts';

type OperandType = ProductTypes['a'];

export interface ProductKind {
  readonly dtype: OperandDtype;
  /** Types that ORT multiplies; uint8 stands for int8 shifted up by 128. */
  readonly types: ProductTypes;
  readonly keepAtUse: number;
}

/** Products by an ORT session; a kept B is a session of its own in which B is an initializer. */
export class OnnxMultiplier implements Multiplier {
  readonly dtype: OperandDtype;
  readonly keepAtUse: number;
  readonly #types: ProductTypes;
  readonly #options: SessionOptions;
  readonly #session: InferenceSession;

  private constructor({ dtype, types, keepAtUse }: ProductKind, options: SessionOptions, session: InferenceSession) {
    this.dtype = dtype;
    this.keepAtUse = keepAtUse;
    this.#types = types;
    this.#options = options;
    this.#session = session;
  }

  static async open(kind: ProductKind, options: SessionOptions): Promise<OnnxMultiplier> {
    return new OnnxMultiplier(kind, options, await InferenceSession.create(matrixProduct(kind.types), options));
  }

  adopt(side: 'a' | 'b', bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#types[side] === 'uint8') shiftUp(bytes);
  }

  async multiply(a: Panel, b: Panel): Promise<Elements> {
    return product(this.#session, { A: tensor(this.#types.a, a), B: tensor(this.#types.b, b) });
  }

  async keep(b: Panel): Promise<ResidentPanel> {
    const session = await InferenceSession.create(matrixProduct(this.#types, b), {
      ...this.#options,
      externalData: [{ path: RESIDENT_B, data: b.bytes }],
    });
    return {
      multiply: async (a) => product(session, { A: tensor(this.#types.a, a) }),
      release: () => void session.release(),
    };
  }
}

/**
 * ORT copies an output into memory of its own choosing even when it is given a tensor to write to, so handing it one saves
 * nothing (9.3 ms either way for 1024 x 1024 x 1024).
 */
async function product(session: InferenceSession, operands: Record<string, Tensor>): Promise<Elements> {
  const { C } = await session.run(operands);
  return C?.data as Elements;
}

const tensor = (type: OperandType, { bytes, rows, columns }: Panel): Tensor => onnxTensor(type, bytes, [rows, columns]);

/** int8 to uint8, +128: flips the sign bit of every byte, four bytes at a time. */
function shiftUp(bytes: Uint8Array<ArrayBuffer>): void {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2);
  for (let i = 0; i < words.length; i++) words[i]! ^= 0x80808080;
  for (let i = words.length * 4; i < bytes.length; i++) bytes[i]! ^= 0x80;
}
