import type { Device } from './backends/device.ts';
import type { OpenRequest } from './compute-protocol.ts';
import { InferenceKernel } from './inference/inference-kernel.ts';
import { Kernels } from './kernels.ts';
import { tampering } from './tamper.ts';
import { TileKernel } from './tile-kernel.ts';
import { TrainingKernel } from './training/training-kernel.ts';
import { verifiedSteps } from './training/verified-steps.ts';

/** Samples are read again from cached files in no time, so operands of products have the larger part. */
const SAMPLE_SHARE = 1 / 2;

/** What this device computes. Throws USAGE for a way of tampering that there is not. */
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
    // TensorFlow reads no ONNX.
    infer: async () => new InferenceKernel({ kind: kind === 'tfjs' ? 'cpu' : kind, threads }),
  });
}
