import { readFileSync } from 'node:fs';
import { elementsOf, readOnnx, rowBytes, seededRandom, type InferWork } from '@muster/shared';
import { sessionOptions } from '../backends/onnx-options.ts';
import type { OnnxKind } from '../compute-protocol.ts';
import { RowModel, type Rows } from './row-model.ts';

export interface ModelDevice {
  readonly kind: OnnxKind;
  readonly threads: number;
}

export interface OpenModel {
  readonly model: RowModel;
  /** Why it runs on the CPU in place of the device; '' if it does not. */
  readonly fallback: string;
}

/** Largest difference between device and CPU relative to the largest element: devices round differently, and models are deep. */
const TOLERANCE = 1e-2;

/**
 * Validates the file before the runtime opens it: the runtime would follow paths to external tensors, although blocks of other tasks lie
 * in the same folder, and its parser has no bounds. Rejects with BAD_MODEL for such a model.
 *
 * The device is used if its answers match the CPU's, else the CPU. The model is run for this, because some operators fail only then.
 */
export async function openRowModel(path: string, work: InferWork, device: ModelDevice): Promise<OpenModel> {
  readOnnx(readFileSync(path));
  const cpu = await RowModel.open(path, sessionOptions('cpu', device.threads));
  if (device.kind === 'cpu') return { model: cpu, fallback: '' };
  try {
    const model = await RowModel.open(path, sessionOptions(device.kind, device.threads));
    await compare({ model, cpu }, work);
    cpu.release();
    return { model, fallback: '' };
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('\n', 1);
    return { model: cpu, fallback: `${device.kind} does not run this model: ${reason}` };
  }
}

async function compare({ model, cpu }: { model: RowModel; cpu: RowModel }, work: InferWork): Promise<void> {
  const rows = drawnRows(work, cpu.batchOf(work.input) ?? 1);
  const [answer, expected] = [await model.run(work, rows), await cpu.run(work, rows)];
  if (work.output.dtype !== 'float32' && work.output.dtype !== 'float64') return;
  const off = worstOff(elementsOf(work.output.dtype, answer), elementsOf(work.output.dtype, expected));
  if (!(off <= TOLERANCE)) throw new Error(`it is off by ${off.toPrecision(2)}, ${TOLERANCE} is allowed`);
}

/** Floats in [0, 1), integers in [0, 8). */
function drawnRows({ input }: InferWork, count: number): Rows {
  const draw = seededRandom(1);
  const bytes = new Uint8Array(count * rowBytes(input));
  const elements = input.dtype === 'uint8' ? bytes : elementsOf(input.dtype, bytes);
  const scale = input.dtype === 'float32' || input.dtype === 'float64' ? 1 : 8;
  for (let i = 0; i < elements.length; i++) elements[i] = draw() * scale;
  return { bytes, count };
}

type Floats = Float32Array | Float64Array;

function worstOff(answer: Floats, expected: Floats): number {
  let [worst, largest] = [0, Number.MIN_VALUE];
  for (let i = 0; i < expected.length; i++) {
    const off = Math.abs(answer[i]! - expected[i]!);
    if (!(off <= worst)) worst = Number.isNaN(off) ? Number.POSITIVE_INFINITY : off;
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return worst / largest;
}
