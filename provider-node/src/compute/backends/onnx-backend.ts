import { convolution, type OperandDtype, type ProductTypes } from '@muster/shared';
import { env, InferenceSession, Tensor } from 'onnxruntime-node';
import type { OnnxKind } from '../compute-protocol.ts';
import type { Backend, Multiplier } from './backend.ts';
import { convolutionCase } from './known-answers.ts';
import { OnnxMultiplier } from './onnx-multiplier.ts';
import { sessionOptions } from './onnx-options.ts';

/**
 * uint8 * int8 is 15 times faster than int8 * int8 on x64 with VNNI (600 against 40 GOP/s), but saturates on older CPUs, which the
 * self-test detects; uint8 * uint8 does not. ARM has a dot product of signed bytes, which needs no shift.
 */
const INTEGER_TYPES: readonly ProductTypes[] = [
  { a: 'uint8', b: 'int8' },
  { a: 'uint8', b: 'uint8' },
  { a: 'int8', b: 'int8' },
];

/**
 * On the CPU keeping B means packing it: 5 % faster (float32, int8), at a cost of 4 to 8 ms per 8 MB of float32 and 1 ms per 2 MB of
 * int8; ORT does not pack float64. On a GPU it saves the transfer, which is most of the time of a tile.
 */
const CPU_KEEP_AT_USE = { float32: 8, float64: Number.POSITIVE_INFINITY, int8: 4 };
const GPU_KEEP_AT_USE = 2;

/** WebGPU, DirectML and CoreML would hand the other types to the CPU, at the price of a copy. */
const DTYPES: Record<OnnxKind, readonly OperandDtype[]> = {
  cpu: ['float32', 'float64', 'int8'],
  cuda: ['float32', 'float64', 'int8'],
  webgpu: ['float32'],
  dml: ['float32'],
  coreml: ['float32'],
};

export function onnxBackend(kind: OnnxKind, threads: number): Backend {
  // Log level of the global environment, which the first session creates; each session sets its own in its options.
  env.logLevel = 'fatal';
  const options = sessionOptions(kind, threads);
  const open = (dtype: OperandDtype, types: ProductTypes) => (): Promise<Multiplier> => {
    const keepAtUse = kind === 'cpu' ? CPU_KEEP_AT_USE[dtype] : GPU_KEEP_AT_USE;
    return OnnxMultiplier.open({ dtype, types, keepAtUse }, options);
  };
  return {
    kind,
    dtypes: DTYPES[kind],
    multipliers: (dtype) => productTypes(dtype).map((types) => open(dtype, types)),
    check: async () => {
      const session = await InferenceSession.create(convolution(convolutionCase.pad), options);
      const { x, w } = convolutionCase;
      const { Y } = await session.run({
        X: new Tensor('float32', x.values, x.dims),
        W: new Tensor('float32', w.values, w.dims),
      });
      convolutionCase.expect(Y?.data as Float32Array);
      await session.release();
    },
  };
}

function productTypes(dtype: OperandDtype): readonly ProductTypes[] {
  if (dtype !== 'int8') return [{ a: dtype, b: dtype }];
  return process.arch === 'arm64' ? INTEGER_TYPES.toReversed() : INTEGER_TYPES;
}
