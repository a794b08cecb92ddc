import { limits } from '@muster/shared';
import type { Flags } from '../flags.ts';
import { required, usage, wholeOf } from './values.ts';

export interface InferRun {
  readonly task: 'infer';
  readonly model: string;
  readonly input: string;
  readonly out: string | undefined;
  readonly rowsPerBlock: number | undefined;
  readonly outputShape: readonly number[] | undefined;
}

export function resolveInfer(flags: Flags): InferRun {
  const fix = '--task infer --model M.onnx --input X.npy --out Y.npy';
  return {
    task: 'infer',
    model: required(flags.model, '--model', { why: 'an inference needs an ONNX model', fix }),
    input: required(flags.input, '--input', { why: 'an inference needs rows in a .npy file', fix }),
    out: flags.out,
    rowsPerBlock: wholeOf(flags.rowsPerBlock, '--rows-per-block', [1, limits.inferBlockBytesMax.value]),
    outputShape: shapeOf(flags.outputShape),
  };
}

/** The shape of one row, without the batch, as '10,5'; 'scalar' for no dimensions. */
function shapeOf(text: string | undefined): readonly number[] | undefined {
  if (text === undefined) return undefined;
  if (text === 'scalar') return [];
  const sides = text.split(',').map(Number);
  const valid = sides.every((side) => Number.isInteger(side) && side >= 1 && side <= limits.dimensionMax.value);
  if (valid && sides.length <= 7) return sides;
  throw usage('--output-shape needs up to 7 numbers from 1 to 65536', {
    why: `got '${text}'`,
    fix: "--output-shape 10, or 10,5 for two dimensions, or 'scalar' for one number a row",
  });
}
