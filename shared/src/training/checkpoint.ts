import { elementCount } from '../tensor/shape.ts';
import { z } from 'zod';
import { firstIssue } from '../first-issue.ts';
import { MusterError } from '../errors.ts';
import { bytesOf, elementsOf } from '../tensor/dtype.ts';
import type { Safetensors, StoredTensor } from '../tensor/safetensors.ts';
import { parseTrainingOptions, type TrainingOptions } from './options.ts';
import type { OptimizerState } from './optimizer.ts';

export const CHECKPOINT_FORMAT = '1';

/** Where a parameter lies in the flat weights; `shape` row-major. */
export interface ParameterPlace {
  readonly name: string;
  readonly shape: readonly number[];
  /** Index of its first value. */
  readonly offset: number;
}

/** The data set that the cursor refers to. */
export interface TrainedOn {
  readonly samples: number;
  /** Digest of its blocks in order: equal for the same samples in the same form. */
  readonly digest: string;
}

/** Everything needed to resume a run exactly, except the data set. */
export interface Checkpoint {
  readonly weights: Float32Array;
  readonly optimizer: OptimizerState;
  /** Moments of the outer optimizer; empty without local steps. */
  readonly outer: OptimizerState;
  /** Global steps done. */
  readonly step: number;
  /** Epoch of the next step, from 0. */
  readonly epoch: number;
  /** Data cursor: samples of that epoch's order that are used up. */
  readonly cursor: number;
  readonly options: TrainingOptions;
  /** Null in files of other programs. */
  readonly data: TrainedOn | null;
  /** Canonical JSON of the model; two models are the same if this is. */
  readonly model: string;
  /** Versions of programs, by name. */
  readonly versions: Readonly<Record<string, string>>;
}

/** Prefix of the names of moments: `muster.optimizer.first.dense.weight`. No parameter's name may begin with it. */
const RESERVED = 'muster.';
const GROUPS = ['optimizer', 'outer'] as const;

/**
 * Names, order and metadata of a checkpoint: each parameter under its own name, so that any reader of safetensors finds the
 * model; then moments, cut up like the weights. Tensors are views of the arrays given, not copies.
 * @throws BAD_DATA for a layout that does not cover the weights or takes a reserved name.
 */
export function checkpointTensors(checkpoint: Checkpoint, layout: readonly ParameterPlace[]): Safetensors {
  checkLayout(layout, checkpoint.weights.length);
  const tensors = new Map<string, StoredTensor>();
  cut(checkpoint.weights, layout, (name, tensor) => tensors.set(name, tensor));
  for (const group of GROUPS) {
    for (const [moment, values] of Object.entries(checkpoint[group])) {
      const prefix = `${RESERVED}${group}.${moment}`;
      if (values.length !== checkpoint.weights.length) tensors.set(prefix, tensorOf(values, [values.length]));
      else cut(values, layout, (name, tensor) => tensors.set(`${prefix}.${name}`, tensor));
    }
  }
  return { tensors, metadata: metadataOf(checkpoint) };
}

function cut(
  flat: Float32Array,
  layout: readonly ParameterPlace[],
  put: (name: string, tensor: StoredTensor) => void,
): void {
  for (const { name, shape, offset } of layout) {
    put(name, tensorOf(flat.subarray(offset, offset + elementCount(shape)), shape));
  }
}

const tensorOf = (values: Float32Array, shape: readonly number[]): StoredTensor => ({
  dtype: 'F32',
  shape,
  bytes: bytesOf(values),
});

function metadataOf({ step, epoch, cursor, options, data, model, versions }: Checkpoint): Record<string, string> {
  return {
    format: `muster-checkpoint ${CHECKPOINT_FORMAT}`,
    step: String(step),
    epoch: String(epoch),
    cursor: String(cursor),
    seed: String(options.seed),
    options: JSON.stringify(options),
    ...(data !== null && { data: JSON.stringify(data) }),
    model,
    versions: JSON.stringify(versions),
  };
}

/** Parameters must cover the weights in order and without gaps: else a checkpoint would lose values. */
function checkLayout(layout: readonly ParameterPlace[], parameters: number): void {
  let end = 0;
  for (const { name, shape, offset } of layout) {
    if (name === '' || name.startsWith(RESERVED)) throw badLayout(`'${name}' cannot be a parameter's name`);
    if (offset !== end) throw badLayout(`${name} starts at ${offset}, the parameter before it ends at ${end}`);
    end += elementCount(shape);
  }
  if (end !== parameters) throw badLayout(`it ends at ${end}, the model has ${parameters} parameters`);
  const names = new Set(layout.map(({ name }) => name));
  if (names.size !== layout.length) throw badLayout('two parameters have the same name');
}

const badLayout = (why: string): MusterError =>
  new MusterError('BAD_DATA', 'the parameters do not cover the weights', { why });

const whole = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);

const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue('not JSON');
    return z.NEVER;
  }
});

const storedMetadata = z.object({
  step: whole,
  epoch: whole,
  cursor: whole,
  seed: whole,
  options: json,
  data: json.pipe(z.object({ samples: z.number().int().positive(), digest: z.string() })).optional(),
  model: z.string(),
  versions: json.pipe(z.record(z.string(), z.string())),
});

/** The model that a checkpoint must belong to. */
export interface CheckpointOf {
  readonly model: string;
  readonly layout: readonly ParameterPlace[];
}

/**
 * The inverse of `checkpointTensors`, into new arrays.
 * @throws CHECKPOINT_MISMATCH for another format version or another model; BAD_DATA for what is no checkpoint.
 */
export function parseCheckpoint({ tensors, metadata }: Safetensors, { model, layout }: CheckpointOf): Checkpoint {
  checkFormat(metadata['format']);
  const { seed, options, data = null, ...facts } = parseMetadata(metadata);
  if (facts.model !== model) throw otherModel(firstDifference(tensors, layout));
  const rest = new Map(tensors);
  const weights = join(rest, layout, '');
  const [optimizer, outer] = GROUPS.map((group) => takeState(rest, layout, group));
  const [unknown] = rest.keys();
  if (unknown !== undefined) throw otherModel(`the model has no tensor ${unknown}`);
  const parsed = parseTrainingOptions(options);
  if (parsed.seed !== seed) throw notACheckpoint(`seed is ${seed}, in options it is ${parsed.seed}`);
  return { ...facts, data, options: parsed, weights, optimizer: optimizer!, outer: outer! };
}

/** The file holds weights without training state, as `--out` of a run or another program writes. */
const weightsOnly = (): MusterError =>
  new MusterError('BAD_DATA', 'these are weights, and no checkpoint', {
    why: 'a run goes on from more: what its optimizer remembers, its step and its place in the data',
    fix: 'user-client tasks result TASK --out CHECKPOINT.safetensors, and --resume that, or --resume TASK',
  });

function checkFormat(format: string | undefined): void {
  const version = /^muster-checkpoint (\S+)$/.exec(format ?? '')?.[1];
  if (version === undefined && format === undefined) throw weightsOnly();
  if (version === undefined) throw notACheckpoint(`its metadata has the format ${format}`);
  if (version === CHECKPOINT_FORMAT) return;
  throw new MusterError('CHECKPOINT_MISMATCH', 'the checkpoint has another format version', {
    why: `it has version ${version}, this program reads version ${CHECKPOINT_FORMAT}`,
    fix: 'resume with the version of Muster that wrote it',
  });
}

function parseMetadata(metadata: Readonly<Record<string, string>>): z.infer<typeof storedMetadata> {
  const parsed = storedMetadata.safeParse(metadata);
  if (parsed.success) return parsed.data;
  throw notACheckpoint(`its metadata: ${firstIssue(parsed.error)}`);
}

/** The flat array of the tensors `prefix + name`, which are taken out of the map. */
function join(
  tensors: Map<string, StoredTensor>,
  layout: readonly ParameterPlace[],
  prefix: string,
): Float32Array<ArrayBuffer> {
  const flat = new Float32Array(layout.reduce((sum, { shape }) => sum + elementCount(shape), 0));
  for (const { name, shape, offset } of layout) {
    const tensor = tensors.get(prefix + name);
    const difference = differs(tensor, shape);
    if (difference !== undefined) throw otherModel(`${prefix}${name} ${difference}`);
    flat.set(valuesOf(tensor!, prefix + name), offset);
    tensors.delete(prefix + name);
  }
  return flat;
}

function differs(tensor: StoredTensor | undefined, shape: readonly number[]): string | undefined {
  if (!tensor) return 'is missing';
  const [seen, wanted] = [tensor.shape, shape].map((sides) => `[${sides.join(', ')}]`);
  return seen === wanted ? undefined : `is ${seen}, in the model it is ${wanted}`;
}

function valuesOf({ dtype, shape, bytes }: StoredTensor, name: string): Float32Array {
  const expected = 4 * elementCount(shape);
  if (dtype !== 'F32') throw notACheckpoint(`${name} has dtype ${dtype}, not F32`);
  if (bytes.length !== expected) throw notACheckpoint(`${name} has ${bytes.length} bytes, not ${expected}`);
  return elementsOf('float32', bytes);
}

function takeState(
  tensors: Map<string, StoredTensor>,
  layout: readonly ParameterPlace[],
  group: (typeof GROUPS)[number],
): OptimizerState {
  const prefix = `${RESERVED}${group}.`;
  const keys = [...tensors.keys()].filter((key) => key.startsWith(prefix));
  const moments = new Set(keys.map((key) => key.slice(prefix.length).split('.', 1)[0]!));
  return Object.fromEntries([...moments].map((moment) => [moment, takeMoment(tensors, layout, prefix + moment)]));
}

function takeMoment(
  tensors: Map<string, StoredTensor>,
  layout: readonly ParameterPlace[],
  key: string,
): Float32Array<ArrayBuffer> {
  const single = tensors.get(key);
  if (!single) return join(tensors, layout, `${key}.`);
  tensors.delete(key);
  return Float32Array.from(valuesOf(single, key));
}

function firstDifference(tensors: ReadonlyMap<string, StoredTensor>, layout: readonly ParameterPlace[]): string {
  for (const { name, shape } of layout) {
    const difference = differs(tensors.get(name), shape);
    if (difference !== undefined) return `${name} ${difference}`;
  }
  return 'its tensors have the same shapes, its description is another';
}

const otherModel = (why: string): MusterError =>
  new MusterError('CHECKPOINT_MISMATCH', 'the checkpoint is of another model', {
    why,
    fix: 'resume with the model that the checkpoint was made of',
  });

const notACheckpoint = (why: string): MusterError =>
  new MusterError('BAD_DATA', 'the file is not a usable checkpoint of Muster', { why });
