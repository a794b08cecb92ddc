import { z } from 'zod';
import { parseOrThrow } from '../../first-issue.ts';
import { MusterError } from '../../errors.ts';
import type { Model } from '../../model/description.ts';
import { outputCount, parseModel } from '../../model/parse-model.ts';
import { limits } from '../../protocol/limits.ts';
import { parseSampleLayout, sampleBlocks, targetWidth, type SampleLayout } from '../../samples/layout.ts';
import { parseTrainingOptions, type TrainingOptions } from '../../training/options.ts';

const samples = z.number().int().nonnegative().max(limits.samplesMax.value);

const trainSpec = z.object({
  model: z.unknown(),
  layout: z.unknown(),
  trainSamples: samples.min(1),
  testSamples: samples,
  options: z.unknown(),
  /** Size of the checkpoint that the run resumes from, 0 for none. */
  checkpointBytes: z.number().int().nonnegative().max(limits.checkpointBytesMax.value),
});

/** A training run. Its operands are the blocks of both sets, cut as the layout says, and the checkpoint, if there is one. */
export interface TrainSpec {
  readonly model: Model;
  readonly layout: SampleLayout;
  readonly trainSamples: number;
  readonly testSamples: number;
  readonly options: TrainingOptions;
  readonly checkpointBytes: number;
}

/** Throws USAGE, TOO_LARGE, BAD_MODEL, or SHAPE_MISMATCH for a model that does not fit the data. */
export function parseTrainSpec(raw: unknown): TrainSpec {
  const data = parseOrThrow(trainSpec, raw, 'the training run');
  const spec: TrainSpec = {
    ...data,
    model: parseModel(data.model),
    layout: parseSampleLayout(data.layout),
    options: parseTrainingOptions(data.options),
  };
  checkModelFits(spec);
  checkBatchFits(spec);
  checkBlocksFit(spec);
  return spec;
}

function checkModelFits({ model, layout }: TrainSpec): void {
  const [wanted, given] = [model.input, layout.features].map((shape) => `[${shape.join(', ')}]`);
  if (wanted !== given) {
    throw new MusterError('SHAPE_MISMATCH', 'the model does not take the samples', {
      why: `its input is ${wanted}, a sample is ${given}`,
      fix: `give the model "input": ${given}`,
    });
  }
  const [outputs, targets] = [outputCount(model), targetWidth(layout)];
  if (outputs === targets) return;
  throw new MusterError('SHAPE_MISMATCH', 'the model does not give what the targets are', {
    why: `it has ${outputs} outputs, the data has ${targets} ${layout.target.kind === 'classes' ? 'classes' : 'values a sample'}`,
    fix: `end the model with {"type":"dense","units":${targets}}`,
  });
}

function checkBatchFits({ options: { batch }, trainSamples }: TrainSpec): void {
  if (batch <= trainSamples) return;
  throw new MusterError('USAGE', 'the batch is larger than the training set', {
    why: `the batch is ${batch}, and there are ${trainSamples} samples`,
    fix: `--batch ${trainSamples}`,
  });
}

/** A lease names every block that its samples are in, and its message is bounded. */
function checkBlocksFit({ layout, trainSamples, testSamples }: TrainSpec): void {
  const blocks = sampleBlocks(layout, Math.max(trainSamples, testSamples));
  const { value } = limits.sampleBlocksMax;
  if (blocks <= value) return;
  throw new MusterError('TOO_LARGE', 'the data set is too large', {
    why: `it takes ${blocks} blocks of up to 1 MiB, the limit is ${value}`,
    fix: 'give fewer or smaller samples: bytes instead of float32 for images',
  });
}
