/** A training set on disk in the shape in which a provider finds it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  blockIdOf,
  bytesOf,
  featureCount,
  initialWeights,
  outputCount,
  packBlock,
  readShardResult,
  sampleBlocks,
  samplesOfBlock,
  seededRandom,
  viewBlock,
  type BlockId,
  type BlockView,
  type Model,
  type SampleLayout,
  type Samples,
  type ShardResult,
  type TaskId,
  type TrainWork,
} from '@muster/shared';
import type { Job } from '../../../src/compute/compute-protocol.ts';

export interface TrainingSetOptions {
  readonly samples: number;
  readonly samplesPerBlock?: number;
  readonly seed?: number;
}

export type TrainJob = Job & { readonly work: TrainWork };

/** Images of bytes (or rows of features), half of each one grey, with a class each. */
export class TrainingSet {
  readonly path = mkdtempSync(join(tmpdir(), 'muster-train-'));
  readonly model: Model;
  readonly layout: SampleLayout;
  readonly samples: number;
  readonly weights: Float32Array;
  readonly #numbers: readonly BlockId[];
  #results = 0;

  constructor(model: Model, { samples, samplesPerBlock = 100, seed = 1 }: TrainingSetOptions) {
    this.model = model;
    this.samples = samples;
    this.layout = {
      features: [...model.input],
      featureType: 'uint8',
      scale: 1 / 255,
      shift: 0,
      target: { kind: 'classes', classes: outputCount(model) },
      samplesPerBlock,
    };
    this.weights = initialWeights(model, seed);
    const drawn = drawSamples(this.layout, samples, seed);
    this.#numbers = Array.from({ length: sampleBlocks(this.layout, samples) }, (_, number) =>
      this.put(packBlock(this.layout, drawn, samplesOfBlock(this.layout, samples, number))),
    );
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  put(bytes: Uint8Array): BlockId {
    const id = blockIdOf(bytes);
    writeFileSync(this.pathOf(id), bytes);
    return id;
  }

  readonly pathOf = (id: BlockId): string => join(this.path, id);

  readonly blockAt = (number: number): BlockView =>
    viewBlock(this.layout, readFileSync(this.pathOf(this.#numbers[number]!)));

  /** Over the whole set, but for what is given. */
  job(given: Partial<TrainWork> = {}, task = 'a'): TrainJob {
    const work: TrainWork = {
      kind: 'gradient',
      model: this.put(Buffer.from(JSON.stringify(this.model))),
      weights: this.put(bytesOf(this.weights)),
      layout: this.layout,
      samples: this.samples,
      seed: 3,
      epoch: 0,
      step: 0,
      from: 0,
      to: this.samples,
      numbers: [...this.#numbers.keys()],
      blocks: [...this.#numbers],
      compression: 'none',
      keepsResidual: false,
      taken: null,
      deterministic: false,
      local: null,
      ...given,
    };
    const blocks = [...new Set([work.model, work.weights, ...work.blocks])];
    const out = join(this.path, `result-${(this.#results += 1)}`);
    return { task: task as TaskId, taskType: 'train', work, paths: blocks.map(this.pathOf), out };
  }
}

export const resultOf = ({ out, work }: TrainJob): ShardResult =>
  readShardResult(readFileSync(out), work.to - work.from);

function drawSamples(layout: SampleLayout, samples: number, seed: number): Samples {
  const draw = seededRandom(seed);
  const width = featureCount(layout);
  const classes = layout.target.kind === 'classes' ? layout.target.classes : 0;
  const features = new Uint8Array(samples * width);
  for (let at = 0; at < features.length; at++) features[at] = at % width < width / 2 ? 77 : draw() * 256;
  return { features, targets: Uint16Array.from({ length: samples }, () => Math.floor(draw() * classes)) };
}
