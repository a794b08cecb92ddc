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

/** A training run as a program asks for it. */
export interface TrainingRequest {
  /** 'mlp', 'lenet', or a description as docs/model.md has it; may be left out when there is a checkpoint. */
  readonly model?: unknown;
  readonly data: TrainingData;
  /** As docs/training.md lists them; what is left out is as in the checkpoint, or as there. */
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  /** The run goes on from here. */
  readonly checkpoint?: CheckpointFile | Uint8Array<ArrayBuffer> | undefined;
}

/** What is submitted of it. */
export interface TrainingSubmission {
  readonly spec: TrainSpec;
  readonly blocks: readonly SourceBlock[];
}

/**
 * Everything that can be checked before the head hears of the run.
 * @throws USAGE, TOO_LARGE, BAD_MODEL, SHAPE_MISMATCH for a model that does not fit the data, CHECKPOINT_MISMATCH
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

/** A preset takes its shape from the data. */
function modelFor(model: unknown, { features, target }: SampleLayout): Model {
  if (!isPreset(model)) return parseModel(model);
  if (target.kind === 'classes') return presetModel(model, { input: features, classes: target.classes });
  throw new MusterError('SHAPE_MISMATCH', `'${model}' is a classifier`, {
    why: `the data has ${target.width} values a sample, not classes`,
    fix: 'describe a model with "loss":"meanSquaredError": --model MODEL.json',
  });
}

/** A node without a sample would wait in every step. Throws USAGE. */
export function checkBatchFor(nodes: number, { options: { batch } }: TrainSpec): void {
  if (nodes <= batch) return;
  throw new MusterError('USAGE', 'the batch is smaller than the number of nodes', {
    why: `the batch is ${batch}, for ${nodes} nodes; 16 samples and more for each make sense`,
    fix: `--batch ${nodes * 16}, or --nodes ${batch}`,
  });
}

export const isPreset = (model: unknown): model is Preset => (presets as readonly unknown[]).includes(model);
