import {
  MusterError,
  parseModel,
  parseTrainSpec,
  presetModel,
  presets,
  type Model,
  type Preset,
  type SampleLayout,
  type TrainSpec,
} from '@muster/shared';
import { blocksInTurn, type SourceBlock } from '../operands/block-source.ts';
import { WholeBlock } from '../operands/whole-block.ts';
import { checkResumed } from './check-resumed.ts';
import { readCheckpoint, type CheckpointFile } from './checkpoint-file.ts';
import { SampleBlocks } from './sample-blocks.ts';
import type { TrainingData } from './training-data.ts';

/** A training run as requested by a program. */
export interface TrainingRequest {
  /** 'mlp', 'lenet', or a description as in docs/model.md; may be omitted with a checkpoint. */
  readonly model?: unknown;
  readonly data: TrainingData;
  /** As listed in docs/training.md. Those left out are taken from the checkpoint, else they have the defaults given there. */
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  /** Resumes the run from this checkpoint. */
  readonly checkpoint?: CheckpointFile | Uint8Array<ArrayBuffer> | undefined;
}

/** What is submitted to the head. */
export interface TrainingSubmission {
  readonly spec: TrainSpec;
  readonly blocks: readonly SourceBlock[];
}

/**
 * Makes the submission, with all checks that do not need the head.
 * @throws USAGE, TOO_LARGE, BAD_MODEL, BAD_DATA, SHAPE_MISMATCH for a model that does not fit the data, CHECKPOINT_MISMATCH
 */
export function trainingSubmission(request: TrainingRequest): TrainingSubmission {
  const { data, options } = request;
  const { model, file } = startingPoint(request);
  const bytes = file?.bytes ?? new Uint8Array();
  const spec = parseTrainSpec({
    model,
    layout: data.layout,
    trainSamples: data.train.samples,
    testSamples: data.test.samples,
    options: { ...file?.checkpoint.options, ...options },
    checkpointBytes: bytes.length,
  });
  if (file !== null) checkResumed(file, spec);
  const sources = [
    new WholeBlock('checkpoint', bytes),
    new SampleBlocks('train', data.layout, data.train),
    new SampleBlocks('test', data.layout, data.test),
  ];
  return { spec, blocks: blocksInTurn(sources) };
}

function startingPoint({ model, checkpoint, data }: TrainingRequest): { model: Model; file: CheckpointFile | null } {
  const wanted = model === undefined ? undefined : modelFor(model, data.layout);
  if (checkpoint !== undefined) {
    const bytes = checkpoint instanceof Uint8Array ? checkpoint : checkpoint.bytes;
    const file = readCheckpoint(bytes, 'the checkpoint', wanted);
    return { model: file.model, file };
  }
  if (wanted !== undefined) return { model: wanted, file: null };
  throw new MusterError('USAGE', 'no model is given', {
    why: 'a training run needs a model, or a checkpoint that has one',
    fix: '--model lenet',
  });
}

/** A preset takes its input and output sizes from the data. */
function modelFor(model: unknown, { features, target }: SampleLayout): Model {
  if (!isPreset(model)) return parseModel(model);
  if (target.kind === 'classes') return presetModel(model, { input: features, classes: target.classes });
  throw new MusterError('SHAPE_MISMATCH', `'${model}' is a classifier`, {
    why: `the data has ${target.width} values a sample, not classes`,
    fix: 'describe a model with "loss":"meanSquaredError": --model MODEL.json',
  });
}

/** Throws USAGE: a node without a sample would wait in every step. */
export function checkBatchFor(nodes: number, { options: { batch } }: TrainSpec): void {
  if (nodes <= batch) return;
  throw new MusterError('USAGE', 'the batch is smaller than the number of nodes', {
    why: `the batch is ${batch}, for ${nodes} nodes; 16 samples and more for each make sense`,
    fix: `--batch ${nodes * 16}, or --nodes ${batch}`,
  });
}

export const isPreset = (model: unknown): model is Preset => (presets as readonly unknown[]).includes(model);
