import { operandDtypes, type DeviceFacts, type OperandDtype } from '@muster/shared';
import type { DeviceKind, OnnxKind } from '../compute-protocol.ts';
import type { Backend, Multiplier } from './backend.ts';
import { calibrate } from './calibrate.ts';
import { onnxBackend } from './onnx-backend.ts';
import { onnxSteps } from './onnx-steps.ts';
import type { StepBackend } from './step-backend.ts';
import { loadTfjs, usesGpu } from './tfjs/load-tfjs.ts';
import { tfjsBackend } from './tfjs/tfjs-backend.ts';
import { tfjsSteps } from './tfjs/tfjs-steps.ts';
import { verifiedMultiplier } from './verified-multiplier.ts';

export type Multipliers = Readonly<Record<OperandDtype, Multiplier>>;

export interface DeviceWanted {
  readonly kind: DeviceKind;
  readonly threads: number;
  /** Types to compute on the device, the others on the CPU; null: decided by measurement, except that float32 always uses the device. */
  readonly served: readonly OperandDtype[] | null;
}

export interface Device {
  readonly note: string;
  readonly multipliers: Multipliers;
  /** Training steps on the device and on the CPU beside it. */
  readonly steps: StepBackends;
  readonly served: readonly OperandDtype[];
  /** Measured rates; 0 where nothing was measured. */
  readonly gflops: DeviceFacts['gflops'];
}

export interface StepBackends {
  readonly device: StepBackend;
  readonly cpu: StepBackend;
}

interface Choice {
  readonly multiplier: Multiplier;
  readonly gflops: number;
  readonly onDevice: boolean;
}

/** Opens and tests a device, with the CPU beside it for the types that it lacks. Throws with the reason why it cannot be used. */
export async function openDevice({ kind, threads, served }: DeviceWanted): Promise<Device> {
  const { backend, steps, note } = kind === 'tfjs' ? tfjsRuntime() : onnxRuntime(kind, threads);
  await backend.check();
  const cpu = kind === 'cpu' ? backend : onnxBackend('cpu', threads);
  const choose = async (dtype: OperandDtype): Promise<Choice> => {
    if (served) return reopen(served.includes(dtype) ? backend : cpu, dtype, kind);
    return dtype === 'float32' ? measured(backend, dtype, kind) : fastest([backend, cpu], dtype, kind);
  };
  const chosen = { float32: await choose('float32'), float64: await choose('float64'), int8: await choose('int8') };
  return {
    note,
    multipliers: mapTypes(chosen, ({ multiplier }) => multiplier),
    steps: { device: steps, cpu: onnxSteps('cpu', threads) },
    served: operandDtypes.filter((dtype) => chosen[dtype].onDevice),
    gflops: mapTypes(chosen, ({ gflops }) => gflops),
  };
}

interface Runtime {
  readonly backend: Backend;
  readonly steps: StepBackend;
  readonly note: string;
}

const onnxRuntime = (kind: OnnxKind, threads: number): Runtime => ({
  backend: onnxBackend(kind, threads),
  steps: onnxSteps(kind, threads),
  note: '',
});

function tfjsRuntime(): Runtime {
  const tf = loadTfjs();
  const note = usesGpu(tf) ? '' : 'TensorFlow finds no GPU and computes on the CPU: it needs CUDA 11 and cuDNN 8';
  return { backend: tfjsBackend(tf), steps: tfjsSteps(tf), note };
}

const mapTypes = <In, Out>(of: Record<OperandDtype, In>, map: (value: In) => Out): Record<OperandDtype, Out> => ({
  float32: map(of.float32),
  float64: map(of.float64),
  int8: map(of.int8),
});

async function reopen(backend: Backend, dtype: OperandDtype, kind: DeviceKind): Promise<Choice> {
  const multiplier = await verifiedMultiplier(backend, dtype);
  return { multiplier, gflops: 0, onDevice: backend.kind === kind };
}

async function measured(backend: Backend, dtype: OperandDtype, kind: DeviceKind): Promise<Choice> {
  const choice = await reopen(backend, dtype, kind);
  return { ...choice, gflops: await calibrate(choice.multiplier) };
}

/** `backends` is [device, CPU]. A failing device falls back to the CPU; a failing CPU rejects. */
async function fastest(backends: readonly Backend[], dtype: OperandDtype, kind: DeviceKind): Promise<Choice> {
  const [device, cpu] = backends as [Backend, Backend];
  const onCpu = await measured(cpu, dtype, kind);
  if (device === cpu || !device.dtypes.includes(dtype)) return onCpu;
  const onDevice = await measured(device, dtype, kind).catch(() => onCpu);
  return onDevice.gflops > onCpu.gflops ? onDevice : onCpu;
}
