import type { Device } from './backends/device.ts';
import type { OpenRequest } from './compute-protocol.ts';
import { InferenceKernel } from './inference/inference-kernel.ts';
import { Kernels } from './kernels.ts';
import { tampering } from './tamper.ts';
import { TileKernel } from './tile-kernel.ts';
import { TrainingKernel } from './training/training-kernel.ts';
import { verifiedSteps } from './training/verified-steps.ts';

/** Share of `cacheBytes`: samples are quickly read again from cached files, so operands of products get more. */
const SAMPLE_SHARE = 1 / 2;

/** The kernels of this device by task type. Throws USAGE for an unknown kind of tampering. */
export function kernelsOf(device: Device, { kind, threads, cacheBytes, tamper }: OpenRequest): Kernels {
  const finish = tampering(tamper);
  const tampered = finish ? { finish } : {};
  const { multipliers, steps } = device;
  return new Kernels({
    matrix_mult: async () => new TileKernel({ multipliers, cacheBytes, ...tampered }),
    train: async () => {
      const sampleBytes = Math.floor(cacheBytes * SAMPLE_SHARE);
      return new TrainingKernel({ ...(await verifiedSteps(steps)), cacheBytes: sampleBytes, ...tampered });
    },
    // TensorFlow cannot read ONNX models.
    infer: async () => new InferenceKernel({ kind: kind === 'tfjs' ? 'cpu' : kind, threads }),
  });
}
