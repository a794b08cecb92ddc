import { MusterError, readOnnx, type InferPort, type OnnxValue } from '@muster/shared';
import type { RowSource } from './row-source.ts';

type InferDtype = InferPort['dtype'];

/** ONNX names of the element types. */
const dtypesOfOnnx: Readonly<Record<string, InferDtype>> = {
  float: 'float32',
  double: 'float64',
  int32: 'int32',
  int8: 'int8',
  uint8: 'uint8',
};

export interface ModelPorts {
  readonly input: InferPort;
  readonly output: InferPort;
  /** Fixed batch size of the model; null: any. */
  readonly batch: number | null;
}

/**
 * Input and output of the model for one row, without the batch. The rows must match the input.
 * @throws BAD_MODEL, SHAPE_MISMATCH, BAD_DATA for rows of another type, USAGE when the shape of the output is not known
 */
export function portsOf(
  model: Uint8Array,
  rows: Pick<RowSource, 'shape' | 'dtype'>,
  outputShape: readonly number[] | undefined,
): ModelPorts {
  const { inputs, outputs } = readOnnx(model);
  const [input, output] = [theOnly(inputs, 'input'), theOnly(outputs, 'output')];
  checkRows(input, rows);
  return {
    input: { name: input.name, shape: [...rows.shape], dtype: rows.dtype },
    output: { name: output.name, shape: outputShapeOf(output, outputShape), dtype: dtypeOf(output) },
    batch: typeof input.dims?.[0] === 'number' ? input.dims[0] : null,
  };
}

function theOnly(values: readonly OnnxValue[], what: string): OnnxValue {
  const [value, ...more] = values;
  if (value !== undefined && (what === 'output' || more.length === 0)) return value;
  throw new MusterError('BAD_MODEL', `the model has ${values.length} ${what}s`, {
    why:
      values.length === 0
        ? `it has no ${what}`
        : `they are ${values.map(({ name }) => name).join(', ')}; one is fed with the rows`,
    fix: `export it with one ${what}`,
  });
}

function dtypeOf({ name, type }: OnnxValue): InferDtype {
  const dtype = dtypesOfOnnx[type];
  if (dtype !== undefined) return dtype;
  throw new MusterError('BAD_MODEL', `'${name}' of the model has a type that cannot be moved`, {
    why: `it is ${type}; ${Object.keys(dtypesOfOnnx).join(', ')} can`,
    fix: 'add a Cast to float at that end of the model',
  });
}

/** Symbolic dimensions accept any length. */
function checkRows(input: OnnxValue, { shape, dtype }: Pick<RowSource, 'shape' | 'dtype'>): void {
  const wanted = dtypeOf(input);
  if (wanted !== dtype) {
    throw new MusterError('BAD_DATA', 'the rows are not of the type that the model takes', {
      why: `input '${input.name}' is ${wanted}, the rows are ${dtype}`,
      fix: `convert them as for the training of the model: x.astype('${wanted}'), of images mostly / 255`,
    });
  }
  const trailing = input.dims?.slice(1);
  if (trailing === undefined) return;
  const fits =
    trailing.length === shape.length &&
    trailing.every((length, at) => typeof length === 'string' || length === shape[at]);
  if (fits) return;
  throw new MusterError('SHAPE_MISMATCH', 'the model does not take the rows', {
    why: `input '${input.name}' is [${['batch', ...trailing].join(', ')}], a row is [${shape.join(', ')}]`,
    fix: `reshape them: x.reshape(${['-1', ...trailing].join(', ')})`,
  });
}

function outputShapeOf({ name, dims }: OnnxValue, given: readonly number[] | undefined): number[] {
  if (given !== undefined) return [...given];
  const trailing = dims?.slice(1);
  if (trailing?.every((length) => typeof length === 'number') === true) return trailing;
  throw new MusterError('USAGE', 'the model does not say the shape of its output', {
    why: `output '${name}' is ${dims === undefined ? 'of unknown rank' : `[${dims.join(', ')}]`}`,
    fix: '--output-shape 10, or 10,5 for two dimensions: those of one row, without the batch',
  });
}
