import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  elementsOf,
  encodeGradient,
  EpochOrder,
  ErrorFeedback,
  keepsResidual,
  parseTrainSpec,
  readSafetensors,
  seededRandom,
  shardHeader,
  taskTypeNamed,
  type ProviderId,
  type RoundStart,
  type Shard,
  type ShardSums,
  type ShardWork,
  type TaskId,
  type TrainLayout,
  type TrainRound,
  type TrainSpec,
  type TrainWork,
} from '@muster/shared';
import { manualClock, nodeFacts, TemporaryDirectories, type ManualClock } from '@muster/shared/testkit';
import type { OpenRun, ReadyRound, ReturnedShard, RunAnswer, RunOutcome } from '../../src/train/calls.ts';
import { OpenRuns } from '../../src/train/open-runs.ts';

export const directories = new TemporaryDirectories();
export const TASK = '0000000000000001' as TaskId;
export const nodeNamed = (name: string): ProviderId => name as ProviderId;

/** What every node says that a shard took. */
export const COMPUTE_MS = 40;

const FEATURES = 5;
export const PARAMETERS = FEATURES + 1;

/** y = w x + b with a little noise; the last of the weights is b. */
class LinearSet {
  readonly x: Float64Array;
  readonly y: Float64Array;

  constructor(samples: number, seed: number) {
    const random = seededRandom(seed);
    this.x = Float64Array.from({ length: samples * FEATURES }, () => random() - 0.5);
    this.y = Float64Array.from({ length: samples }, (_, at) => this.#clean(at) + 0.1 * (random() - 0.5));
  }

  #clean(sample: number): number {
    let sum = 0.3;
    for (let at = 0; at < FEATURES; at += 1) sum += (at + 1) * this.x[sample * FEATURES + at]!;
    return sum;
  }

  /** Sums over the samples, in float64. A sample is right when it is less than a half off. */
  sums(
    samples: Iterable<number>,
    weights: ArrayLike<number>,
  ): { loss: number; correct: number; gradient: Float64Array } {
    const gradient = new Float64Array(PARAMETERS);
    let [loss, correct] = [0, 0];
    for (const sample of samples) {
      const x = this.x.subarray(sample * FEATURES, (sample + 1) * FEATURES);
      const error = x.reduce((sum, value, at) => sum + value * weights[at]!, weights[FEATURES]!) - this.y[sample]!;
      loss += error * error;
      correct += Math.abs(error) < 0.5 ? 1 : 0;
      for (let at = 0; at < FEATURES; at += 1) gradient[at]! += 2 * error * x[at]!;
      gradient[FEATURES]! += 2 * error;
    }
    return { loss, correct, gradient };
  }
}

export const linearSet = { train: new LinearSet(100, 1), test: new LinearSet(40, 2) };

export function linearSpec(options: Record<string, unknown> = {}, sizes: Partial<TrainSpec> = {}): TrainSpec {
  return parseTrainSpec({
    model: {
      name: 'linear',
      input: [FEATURES],
      layers: [{ type: 'dense', units: 1 }],
      loss: 'meanSquaredError',
    },
    layout: {
      features: [FEATURES],
      featureType: 'float32',
      scale: 1,
      shift: 0,
      target: { kind: 'values', width: 1 },
      samplesPerBlock: 16,
    },
    trainSamples: 100,
    testSamples: 0,
    checkpointBytes: 0,
    ...sizes,
    options: { epochs: 3, batch: 32, learningRate: 0.1, schedule: 'constant', ...options },
  });
}

/** What the head, and an honest node, finds of a shard. */
export async function computed(shard: ShardWork, weights: Float32Array): Promise<ShardSums> {
  const samples = shard.to - shard.from;
  const range = Array.from({ length: samples }, (_, at) => shard.from + at);
  if (shard.kind === 'evaluate') {
    const { loss, correct } = linearSet.test.sums(range, weights);
    return { samples, loss, correct, vector: new Float32Array() };
  }
  const { order } = new EpochOrder(shard.seed, shard.epoch, shard.samples);
  const indices = range.map((at) => order[at]!);
  if (shard.local !== null) return walked(shard.local, indices, weights);
  const { loss, correct, gradient } = linearSet.train.sums(indices, weights);
  return { samples, loss, correct, vector: Float32Array.from(gradient) };
}

/** Plain steps over equal parts. */
function walked(local: NonNullable<ShardWork['local']>, indices: readonly number[], start: Float32Array): ShardSums {
  const weights = Float64Array.from(start);
  const each = indices.length / local.steps;
  let [loss, correct] = [0, 0];
  for (let step = 0; step < local.steps; step += 1) {
    const part = indices.slice(Math.floor(step * each), Math.floor((step + 1) * each));
    const sums = linearSet.train.sums(part, weights);
    loss += sums.loss;
    correct += sums.correct;
    for (let at = 0; at < PARAMETERS; at += 1) weights[at]! -= (local.learningRate * sums.gradient[at]!) / part.length;
  }
  const vector = Float32Array.from(start, (value, at) => value - weights[at]!);
  return { samples: indices.length, loss, correct, vector };
}

/** A liar changes what it found. */
export type Tamper = (sums: ShardSums, round: TrainRound) => ShardSums;

export interface LinearRunOptions {
  readonly spec: TrainSpec;
  readonly nodes?: readonly string[];
  readonly directory?: string;
  /** Share of shards that the head computes again by chance. */
  readonly auditShare?: number;
  readonly checkpointPath?: string;
  readonly trainPaths?: readonly string[];
  readonly tampers?: Readonly<Record<string, Tamper>>;
  /** As the process does it when it has nothing else to do: after each check. */
  readonly foldsEarly?: boolean;
  /** What a node says of the shard whose leftovers went in, where that is not so. */
  readonly claims?: Readonly<Record<string, (after: number) => number>>;
}

interface Encoded {
  readonly number: number;
  readonly after: number;
  readonly payload: Uint8Array;
}

interface ShardAt {
  readonly layout: TrainLayout;
  readonly index: number;
}

/** Runs in this process: the real run, cut by the real plan, with nodes that are a few lines of arithmetic. */
export class LinearRun {
  readonly directory: string;
  readonly incomingDirectory = directories.make();
  readonly clock: ManualClock = manualClock();
  readonly spec: TrainSpec;
  /** Of rounds, in their order. */
  readonly asks: TrainRound[] = [];
  weights = new Float32Array();
  #runs: OpenRuns;
  readonly #options: LinearRunOptions;
  readonly #residuals = new Map<string, ErrorFeedback>();
  #files = 0;
  #rounds = 0;

  constructor(options: LinearRunOptions) {
    this.#options = options;
    this.spec = options.spec;
    this.directory = options.directory ?? directories.make();
    this.#runs = this.#begin();
  }

  get nodes(): readonly string[] {
    return this.#options.nodes ?? ['one'];
  }

  get checkpointPath(): string {
    return join(this.directory, TASK, 'checkpoint.safetensors');
  }

  /** As after a restart of the process. */
  restart(): RunOutcome {
    this.#runs = this.#begin();
    return this.open();
  }

  open(): RunOutcome {
    const run: OpenRun = {
      spec: this.spec,
      trainPaths: this.#options.trainPaths ?? [],
      testPaths: [],
      checkpointPath: this.#options.checkpointPath ?? null,
    };
    return this.#settled(this.#runs.open({ task: TASK, run, round: this.#rounds + 1 }));
  }

  close(): void {
    this.#runs.close(TASK);
  }

  checkpoint(): void {
    this.#runs.checkpoint(TASK);
  }

  /** All rounds until the run is over, or those that `go` allows. */
  async finish(opened: RunOutcome, go: (round: TrainRound) => boolean = () => true): Promise<RunOutcome> {
    let outcome = opened;
    while (outcome.type === 'ready' && go(askOf(outcome.start))) outcome = await this.round(outcome);
    return outcome;
  }

  /** One round with every node; the last shard comes first. */
  async round(opened: ReadyRound): Promise<RunOutcome> {
    const layout = this.layoutOf(opened);
    const accepted: number[] = [];
    for (const index of [...layout.shards.keys()].toReversed()) {
      const { ok } = await this.check(await this.shard(opened, { layout, index }));
      if (ok) accepted.push(index);
    }
    return this.fold(opened, accepted.toReversed());
  }

  fold({ start }: ReadyRound, accepted: readonly number[]): RunOutcome {
    this.clock.advance(100);
    const answer = this.#runs.fold({ task: TASK, round: start.round, accepted });
    if (answer === null) throw new Error(`round ${start.round} is over`);
    return this.#settled(answer);
  }

  /** A node starts again, and has lost what it kept. */
  restartNode(node: string): void {
    this.#residuals.delete(node);
  }

  async check(shard: ReturnedShard): ReturnType<OpenRuns['check']> {
    const verdict = await this.#runs.check(shard);
    if (this.#options.foldsEarly === true) this.#runs.foldEarly(TASK);
    return verdict;
  }

  layoutOf({ start }: ReadyRound): TrainLayout {
    const type = taskTypeNamed('train');
    const plan = type.rounds?.plan(
      this.spec,
      start,
      this.nodes.map(() => nodeFacts()),
    );
    return plan?.layout as TrainLayout;
  }

  /** What the node at `index`, or the one that is named, writes for a shard. */
  async shard({ start }: ReadyRound, { layout, index }: ShardAt, named?: string): Promise<ReturnedShard> {
    const node = named ?? this.nodes[Math.floor((index * this.nodes.length) / layout.shards.length)]!;
    const work = this.#workOf(layout, { shard: layout.shards[index]!, node });
    const honest = await computed(work, this.weights);
    const sums = this.#options.tampers?.[node]?.(honest, layout.round) ?? honest;
    const isEvaluation = layout.round.kind === 'evaluate';
    const { payload, ...chain } = isEvaluation ? NOTHING : this.#encoded(node, work, sums.vector);
    const path = join(this.directory, `shard-${(this.#files += 1)}`);
    writeFileSync(path, Buffer.concat([shardHeader({ ...sums, ...chain }), payload]));
    return { task: TASK, round: start.round, index, node: nodeNamed(node), path, computeMs: COMPUTE_MS, layout };
  }

  #workOf(layout: TrainLayout, { shard, node }: { readonly shard: Shard; readonly node: string }): TrainWork {
    const plan = {
      subtasks: 1,
      batch: 1,
      homes: [],
      nodes: 1,
      forecast: [],
      advice: '',
      layout: { ...layout, shards: [shard] },
    };
    const lease = { indices: [0], blocks: () => '' as never, node: nodeNamed(node) };
    return taskTypeNamed('train').work(this.spec, plan, lease) as TrainWork;
  }

  #encoded(node: string, work: TrainWork, vector: Float32Array): Encoded {
    const { compression } = this.spec.options;
    if (!keepsResidual(this.spec.options)) return { ...NOTHING, payload: encodeGradient(compression, vector) };
    const residual = this.#residuals.get(node) ?? new ErrorFeedback(compression, vector.length);
    this.#residuals.set(node, residual);
    residual.begin(work);
    const { latest } = residual;
    const payload = residual.encode(vector);
    return { number: residual.latest, after: this.#options.claims?.[node]?.(latest) ?? latest, payload };
  }

  #begin(): OpenRuns {
    return new OpenRuns({
      directory: this.directory,
      incomingDirectory: this.incomingDirectory,
      clock: this.clock,
      random: seededRandom(7),
      recomputation: () => computed,
      auditShare: this.#options.auditShare ?? 0,
    });
  }

  /** What the proxy does with an answer. */
  #settled({ outcome, checkpointDue }: RunAnswer): RunOutcome {
    if (checkpointDue) this.checkpoint();
    if (outcome.type !== 'ready') return outcome;
    this.#rounds = outcome.start.round;
    this.asks.push(askOf(outcome.start));
    for (const { operand, path } of outcome.blocks) {
      if (operand === 'weights') this.weights = Float32Array.from(elementsOf('float32', readFileSync(path)));
      rmSync(path);
    }
    return outcome;
  }
}

const NOTHING: Encoded = { number: 0, after: 0, payload: new Uint8Array() };

export const askOf = ({ ask }: RoundStart): TrainRound => ask as TrainRound;

export function ready(outcome: RunOutcome): ReadyRound {
  if (outcome.type !== 'ready') throw new Error(`the run is ${outcome.type}`);
  return outcome;
}

/** Weights in a checkpoint, as one array. */
export function savedWeights(path: string): number[] {
  const { tensors } = readSafetensors(readFileSync(path), path);
  return ['layers.0.weight', 'layers.0.bias'].flatMap((name) => [...elementsOf('float32', tensors.get(name)!.bytes)]);
}
