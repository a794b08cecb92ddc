/** The protocol between a provider and its compute processes. Bulk bytes never travel here: operands and results are files. */
import type { DeviceFacts, OperandDtype, TaskId } from '@muster/shared';

/** Execution providers of ONNX Runtime; 'tfjs': TensorFlow for Node with CUDA, an optional package. */
export const deviceKinds = ['cpu', 'webgpu', 'cuda', 'dml', 'coreml', 'tfjs'] as const;
export type DeviceKind = (typeof deviceKinds)[number];
export type OnnxKind = Exclude<DeviceKind, 'tfjs'>;

/** What a user may ask for; 'auto': the fastest that passes its self-test. */
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
  /** Reading files into memory and making panels resident on the device. */
  readonly readMs: number;
  readonly writeMs: number;
  /** Why the CPU computed it in place of the device; '' if it did not. */
  readonly fallback: string;
}

export interface OpenRequest {
  readonly kind: DeviceKind;
  readonly threads: number;
  readonly cacheBytes: number;
  /** Types that the device itself serves, as determined by an earlier process; null: determine them by measuring. */
  readonly served: readonly OperandDtype[] | null;
  readonly tamper: string;
}

export interface Opened {
  /** A remark for people about the device, or ''. */
  readonly note: string;
  /** Types that the device itself serves; the others are computed on the CPU. */
  readonly served: readonly OperandDtype[];
  readonly gflops: DeviceFacts['gflops'];
}

export type ComputeCalls = {
  /** Called once, before the first job. */
  open: { ask: OpenRequest; answer: Opened };
  run: { ask: Job; answer: Done };
};
