import {
  type Checkpoint,
  elementCount,
  type Model,
  MusterError,
  parameters,
  parseCheckpoint,
  parseModel,
  readSafetensors,
  type Safetensors,
  writeSafetensors,
} from '@muster/shared';

/** One tensor of a model's weights, row-major. */
export interface Weights {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** By name, in the order of the layers. */
export type ModelWeights = ReadonlyMap<string, Weights>;

/** A checkpoint that was read and validated. */
export interface CheckpointFile {
  readonly model: Model;
  readonly checkpoint: Checkpoint;
  /** The whole file. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * `path` is only used in error texts.
 * @throws BAD_DATA for what is not a checkpoint, CHECKPOINT_MISMATCH for one of another version, or of another model than `model`
 */
export function readCheckpoint(bytes: Uint8Array<ArrayBuffer>, path: string, model?: Model): CheckpointFile {
  const stored = readSafetensors(bytes, path);
  const own = model ?? modelIn(stored, path);
  const checkpoint = parseCheckpoint(stored, { model: JSON.stringify(own), layout: parameters(own) });
  return { model: own, checkpoint, bytes };
}

function modelIn({ metadata: { model } }: Safetensors, path: string): Model {
  if (model === undefined) throw noModel(path, 'its metadata has no model');
  try {
    return parseModel(JSON.parse(model));
  } catch (error) {
    throw noModel(path, `the model in it cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const noModel = (path: string, why: string): MusterError =>
  new MusterError('BAD_DATA', `${path} is not a checkpoint of Muster`, {
    why,
    fix: 'give a file that `user-client tasks result ID --out FILE` has written',
  });

/** Views of the checkpoint's flat vector, by parameter name. */
export const weightsOf = ({ model, checkpoint }: CheckpointFile): ModelWeights =>
  new Map(
    parameters(model).map(({ name, shape, offset }) => {
      const length = elementCount(shape);
      return [name, { shape, values: checkpoint.weights.subarray(offset, offset + length) }];
    }),
  );

/** A safetensors file of the weights alone, for other programs; the pieces are to be concatenated. */
export function weightsFile(file: CheckpointFile, facts: Readonly<Record<string, string>>): Uint8Array[] {
  const tensors = new Map(
    [...weightsOf(file)].map(([name, { shape, values }]) => {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      return [name, { dtype: 'F32' as const, shape, bytes }];
    }),
  );
  return writeSafetensors({ tensors, metadata: { model: JSON.stringify(file.model), ...facts } });
}
