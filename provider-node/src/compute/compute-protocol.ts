/** What a provider asks of its compute processes. Bulk bytes never travel here: operands and results are files. */
import type { DeviceFacts, OperandDtype, TaskId } from '@muster/shared';

/** Execution providers of ONNX Runtime; 'tfjs': TensorFlow for Node with CUDA, an optional package. */
export const deviceKinds = ['cpu', 'webgpu', 'cuda', 'dml', 'coreml', 'tfjs'] as const;
export type DeviceKind = (typeof deviceKinds)[number];
export type OnnxKind = Exclude<DeviceKind, 'tfjs'>;

/** What a person may ask for; 'auto': the best that passes its self-test. */
export const deviceChoices = ['auto', ...deviceKinds] as const;
export type DeviceChoice = (typeof deviceChoices)[number];

/** One subtask. */
export interface Job {
  readonly task: TaskId;
  readonly taskType: string;
  readonly work: unknown;
  /** Files of the work's blocks, in the order in which `readWork` of the task type names them. */
  readonly paths: readonly string[];
  /** The file that receives the result; overwritten. */
  readonly out: string;
}

export interface Done {
  /** Length of the result. */
  readonly bytes: number;
  /** Time on the device: in the multiplications, steps or runs themselves. */
  readonly computeMs: number;
  /** Files to memory, and what becomes resident to the device. */
  readonly readMs: number;
  readonly writeMs: number;
  /** Why it was computed on the CPU though the device is another; '' where it was not. */
  readonly fallback: string;
}

export interface OpenRequest {
  readonly kind: DeviceKind;
  readonly threads: number;
  readonly cacheBytes: number;
  /** Types that the device itself serves, as found by an earlier life of the process; null: find out by measuring. */
  readonly served: readonly OperandDtype[] | null;
  readonly tamper: string;
}

export interface Opened {
  /** What people should know of it, or ''. */
  readonly note: string;
  /** Types that the device itself serves; the others are computed on the CPU. */
  readonly served: readonly OperandDtype[];
  readonly gflops: DeviceFacts['gflops'];
}

export type ComputeCalls = {
  /** Once, before the first job. */
  open: { ask: OpenRequest; answer: Opened };
  run: { ask: Job; answer: Done };
};
