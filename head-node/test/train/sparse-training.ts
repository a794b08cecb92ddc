/** A network in training whose gradients travel by top-k, with honest senders and with liars whose gradients nobody uses. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createOptimizer,
  decodeGradient,
  ErrorFeedback,
  initialWeights,
  learningRateAt,
  packBlock,
  parseTrainSpec,
  presetModel,
  readShardResult,
  sampleBlocks,
  samplesOfBlock,
  samplesPerBlock,
  seededRandom,
  shardHeader,
  syntheticDigits,
  type Preset,
  type SampleShape,
  type ShardSums,
  type ShardWork,
  type TrainSpec,
} from '@muster/shared';
import { disagreement } from '../../src/train/audit.ts';
import { recomputation, type Recompute } from '../../src/train/recomputation.ts';
import { SentShards, sentShard } from '../../src/train/sent-shards.ts';
import { nodeNamed } from './linear-run.ts';

const CODEC = { topk: 0.01 } as const;
const SAMPLES = 2048;
const NODES = 2;

export type Lie = (gradient: Float32Array) => Float32Array;

export interface SparseTrainingOptions {
  readonly model: Preset;
  /** Samples that each of the two nodes has in a step. */
  readonly shard: number;
  readonly steps: number;
  /** For the files of the samples. */
  readonly directory: string;
  readonly lies: Readonly<Record<string, Lie>>;
  /** A liar is honest for so many shards, and lies with as many. */
  readonly honest: number;
  /** Rounding of another device: relative, of each weight that it computes with. */
  readonly rounding: number;
}

/** Of shards, by who sent them. */
export interface Tally {
  shards: number;
  refused: number;
  /** The first that was refused, null when none was. */
  first: number | null;
}

/** 'honest', and each lie. */
export type Tallies = Record<string, Tally>;

/** Every shard is looked at. */
export async function trainSparsely(options: SparseTrainingOptions): Promise<{ tallies: Tallies; loss: number }> {
  const run = new SparseTraining(options);
  for (let step = 0; step < options.steps; step += 1) await run.step(step);
  return { tallies: run.tallies, loss: run.loss };
}

class SparseTraining {
  readonly tallies: Tallies = {};
  /** Mean of a sample in the latest step. */
  loss = 0;
  readonly #options: SparseTrainingOptions;
  readonly #spec: TrainSpec;
  readonly #compute: Recompute;
  readonly #random = seededRandom(3);
  readonly #weights: Float32Array;
  readonly #optimizer: ReturnType<typeof createOptimizer>;
  readonly #senders = new Map<string, Sender>();

  constructor(options: SparseTrainingOptions) {
    this.#options = options;
    this.#spec = specOf(options);
    const trainPaths = writeBlocks(this.#spec, options.directory);
    this.#compute = recomputation({ spec: this.#spec, trainPaths, testPaths: [], checkpointPath: null });
    this.#weights = initialWeights(this.#spec.model, 1);
    this.#optimizer = createOptimizer(this.#spec.options, this.#weights.length);
  }

  async step(step: number): Promise<void> {
    const sum = new Float32Array(this.#weights.length);
    let loss = 0;
    for (let node = 0; node < NODES; node += 1) {
      const work = this.#workOf(step, node);
      const here = await this.#compute(work, this.#weights);
      const there = await this.#compute(work, this.#rounded());
      loss += here.loss;
      add(sum, this.#send(`honest ${node}`, there, here));
      if (step < 2 * this.#options.honest) this.#lie(`${node}`, step, { there, here });
    }
    const { shard, steps } = this.#options;
    this.loss = loss / (NODES * shard);
    const mean = sum.map((value) => value / (NODES * shard));
    this.#optimizer.step(this.#weights, mean, learningRateAt(this.#spec.options, step, steps));
  }

  #lie(node: string, step: number, { there, here }: { there: ShardSums; here: ShardSums }): void {
    for (const [name, lie] of Object.entries(this.#options.lies)) {
      const vector = step < this.#options.honest ? there.vector : lie(there.vector);
      this.#send(`${name} ${node}`, { ...there, vector }, here);
    }
  }

  /** What was sent, which is counted. */
  #send(name: string, there: ShardSums, here: ShardSums): Float32Array {
    const sender = this.#senders.get(name) ?? new Sender(this.#weights.length);
    this.#senders.set(name, sender);
    const { why, vector } = sender.send(there, here);
    const who = name.slice(0, name.lastIndexOf(' '));
    const tally = (this.tallies[who] ??= { shards: 0, refused: 0, first: null });
    if (sender.shards > this.#options.honest || who === 'honest') {
      tally.shards += 1;
      if (why !== '') tally.refused += 1;
      if (why !== '') tally.first = Math.min(tally.first ?? Infinity, sender.shards);
    } else if (why !== '') throw new Error(`${name} was refused while it was honest: ${why}`);
    return vector;
  }

  #rounded(): Float32Array {
    const { rounding } = this.#options;
    return this.#weights.map((value) => value * (1 + rounding * (2 * this.#random() - 1)));
  }

  #workOf(step: number, node: number): ShardWork {
    const { shard } = this.#options;
    const stepsOfEpoch = Math.floor(SAMPLES / (NODES * shard));
    const from = ((step % stepsOfEpoch) * NODES + node) * shard;
    const epoch = Math.floor(step / stepsOfEpoch);
    return { kind: 'gradient', seed: 1, epoch, step, samples: SAMPLES, from, to: from + shard, local: null };
  }
}

function add(sum: Float32Array, vector: Float32Array): void {
  for (let at = 0; at < sum.length; at += 1) sum[at]! += vector[at]!;
}

/** A node, and what the head keeps of it. */
class Sender {
  shards = 0;
  readonly #feedback: ErrorFeedback;
  readonly #sent = new SentShards();
  readonly #node = nodeNamed('node');

  constructor(parameters: number) {
    this.#feedback = new ErrorFeedback(CODEC, parameters);
  }

  send(there: ShardSums, here: ShardSums): { readonly why: string; readonly vector: Float32Array } {
    const { latest: after } = this.#feedback;
    const payload = this.#feedback.encode(there.vector);
    const bytes = Buffer.concat([shardHeader({ ...there, number: this.#feedback.latest, after }), payload]);
    this.shards += 1;
    const result = readShardResult(bytes, there.samples);
    const vector = new Float32Array(there.vector.length);
    decodeGradient(CODEC, result.payload, { out: vector });
    const sent = sentShard(result);
    const before = this.#sent.leftoversFor(this.#node, sent);
    this.#sent.add(this.#node, sent);
    const why = disagreement({ ...there, vector, sent }, here, { codec: CODEC, before, local: false });
    return { why, vector };
  }
}

const SHAPE: SampleShape = { features: [1, 28, 28], featureType: 'uint8', target: { kind: 'classes', classes: 10 } };

const specOf = ({ model, shard }: SparseTrainingOptions): TrainSpec =>
  parseTrainSpec({
    model: presetModel(model, { input: [1, 28, 28], classes: 10 }),
    layout: { ...SHAPE, scale: 1 / 255, shift: 0, samplesPerBlock: samplesPerBlock(SHAPE) },
    trainSamples: SAMPLES,
    testSamples: 0,
    checkpointBytes: 0,
    options: { batch: NODES * shard, compression: CODEC },
  });

function writeBlocks({ layout }: TrainSpec, directory: string): string[] {
  const { features, labels } = syntheticDigits({ samples: SAMPLES, seed: 1 });
  return Array.from({ length: sampleBlocks(layout, SAMPLES) }, (_, number) => {
    const path = join(directory, `block-${number}`);
    writeFileSync(path, packBlock(layout, { features, targets: labels }, samplesOfBlock(layout, SAMPLES, number)));
    return path;
  });
}
