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
  /** Why it is not on the device; '' if it is. */
  readonly fallback: string;
}

/** Largest difference between device and CPU, of the largest element: devices round elsewhere, and models are deep. */
const TOLERANCE = 1e-2;

/**
 * The file is read here before the runtime does: it would follow the paths of tensors in other files, beside which blocks of other tasks
 * lie, and its parser has no bounds. Rejects with BAD_MODEL for such a model.
 *
 * On the device if it can, and gives what the CPU gives; else on the CPU. Some operators fail when they run, not before.
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

/** Floats in [0, 1), whole numbers small. */
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
