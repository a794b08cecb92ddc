/** Training steps of real nodes, compared with a loop in this process. */
import { parseTrainingOptions, presetModel, type Preset } from '@muster/shared';
import type { ClusterClient } from '@muster/user-client';
import { TrainingLoop } from '../baselines/training-loop.ts';
import { withCluster } from '../cluster.ts';
import { median, medianBy } from '../stats.ts';
import { BenchSamples } from '../training/bench-samples.ts';
import { runWindow, type RunOptions } from '../training/run-window.ts';
import type { StepWindow } from '../training/step-window.ts';

/** Shares of a step, which add up to 1. */
export interface StepShares {
  /** Computing, mean over the nodes. */
  readonly compute: number;
  /** Transfer of weights and gradients, with everything around it. */
  readonly transfer: number;
  /** Sum and optimizer on the head, while the nodes wait. */
  readonly aggregate: number;
  /** Nodes that have finished and wait for the last one. */
  readonly idle: number;
}

export interface TrainRow {
  readonly model: Preset;
  /** Samples of a step, over all nodes. */
  readonly batch: number;
  readonly providers: number;
  readonly compression: string;
  readonly repetitions: number;
  /** Median time of a step. */
  readonly ms: number;
  readonly imagesPerSecond: number;
  /** The same step in one thread of this process, in turn with the cluster's; median. */
  readonly inProcessMs: number;
  /** inProcessMs / ms. */
  readonly speedup: number;
  /**
   * A step over one node's share of the batch on one thread of this process; median. The lower bound for this many nodes, if nothing had
   * to travel.
   */
  readonly apartMs: number;
  /** Shares in the repetition with the median time. */
  readonly share: StepShares;
  /** Bytes per step as counted by the head: weights to all nodes, gradients from all nodes. */
  readonly bytesDown: number;
  readonly bytesUp: number;
}

export interface TrainOptions {
  readonly models: readonly Preset[];
  readonly batches: readonly number[];
  readonly providers: readonly number[];
  /** Compressions that are also measured, for `compressedBatch` and the largest number of providers. */
  readonly compressions: readonly string[];
  readonly compressedBatch: number;
  readonly blocks: 'auto' | 'wire';
  readonly repetitions: number;
  /** How long each loop and each run is measured, in ms. */
  readonly windowMs: number;
  readonly signal: AbortSignal;
  readonly onRow: (row: TrainRow) => void;
}

/** As many as MNIST has. */
const SAMPLES = 60_000;
const STEPS_MIN = 6;

interface Case {
  readonly model: Preset;
  readonly batch: number;
  readonly providers: readonly number[];
  readonly compression: string;
}

/** One cluster for all cases: nodes that a run does not use cost nothing. */
export function measureTrain(options: TrainOptions): Promise<TrainRow[]> {
  const { providers, blocks, signal, onRow } = options;
  return withCluster({ providers: Math.max(...providers), blocks, signal }, async (client) => {
    const bench = new StepBench(client, options);
    const rows: TrainRow[] = [];
    for (const one of casesOf(options)) {
      const measured = await bench.rowsOf(one);
      measured.forEach(onRow);
      rows.push(...measured);
    }
    return rows;
  });
}

function casesOf({ models, batches, providers, compressions, compressedBatch }: TrainOptions): Case[] {
  const most = [Math.max(...providers)];
  return models.flatMap((model) => [
    ...batches.map((batch): Case => ({ model, batch, providers, compression: 'none' })),
    ...compressions.map((compression): Case => ({ model, batch: compressedBatch, providers: most, compression })),
  ]);
}

interface Repetition {
  readonly inProcessMs: number;
  /** By number of nodes that share the batch. */
  readonly apartMs: ReadonlyMap<number, number>;
  readonly windows: ReadonlyMap<number, StepWindow>;
}

class StepBench {
  readonly #client: ClusterClient;
  readonly #options: TrainOptions;
  readonly #samples = BenchSamples.digits(SAMPLES);

  constructor(client: ClusterClient, options: TrainOptions) {
    this.#client = client;
    this.#options = options;
  }

  async rowsOf(one: Case): Promise<TrainRow[]> {
    const loops = new Map<number, TrainingLoop>();
    try {
      for (const nodes of new Set([1, ...one.providers])) loops.set(nodes, await this.#openLoop(one, nodes));
      const repetitions: Repetition[] = [];
      while (repetitions.length < this.#options.repetitions) repetitions.push(await this.#repeat(one, loops));
      return one.providers.map((providers) => rowOf(one, providers, repetitions));
    } finally {
      for (const loop of loops.values()) await loop.release();
    }
  }

  /** A loop over the share of the batch that one of so many nodes has, warmed up. */
  async #openLoop({ model: preset, batch }: Case, nodes: number): Promise<TrainingLoop> {
    const options = parseTrainingOptions({
      batch: Math.ceil(batch / nodes),
      schedule: 'constant',
      learningRate: 0.001,
    });
    const model = presetModel(preset, { input: this.#samples.layout.features, classes: 10 });
    const loop = await TrainingLoop.open({ model, samples: this.#samples, options });
    await loop.run(STEPS_MIN);
    return loop;
  }

  /** Makes the same steps in all ways, one after the other, so that a busy machine slows all of them down. */
  async #repeat(
    { model, batch, providers, compression }: Case,
    loops: ReadonlyMap<number, TrainingLoop>,
  ): Promise<Repetition> {
    const { windowMs, signal } = this.#options;
    const apartMs = new Map<number, number>();
    for (const [nodes, loop] of loops) {
      const steps = Math.max(STEPS_MIN, Math.round(windowMs / (await loop.run(STEPS_MIN))));
      apartMs.set(nodes, await loop.run(steps));
    }
    const inProcessMs = apartMs.get(1) ?? Number.NaN;
    const steps = Math.max(STEPS_MIN, Math.round(windowMs / inProcessMs));
    const windows = new Map<number, StepWindow>();
    for (const nodes of providers) {
      const options: RunOptions = {
        model,
        nodes,
        steps,
        signal,
        samples: this.#samples,
        stepMs: inProcessMs / nodes / 2,
        training: { batch, compression, schedule: 'constant', learningRate: 0.001 },
      };
      windows.set(nodes, await runWindow(this.#client, options));
    }
    return { inProcessMs, apartMs, windows };
  }
}

export function rowOf(
  { model, batch, compression }: Omit<Case, 'providers'>,
  providers: number,
  repetitions: readonly Repetition[],
): TrainRow {
  const windows = repetitions.flatMap((repetition) => repetition.windows.get(providers) ?? []);
  const middle = medianBy(windows, ({ ms, steps }) => ms / steps);
  const ms = median(windows.map((window) => window.ms / window.steps));
  const inProcessMs = median(repetitions.map((repetition) => repetition.inProcessMs));
  return {
    model,
    batch,
    providers,
    compression,
    ms,
    inProcessMs,
    repetitions: windows.length,
    imagesPerSecond: (1000 * batch) / ms,
    speedup: inProcessMs / ms,
    apartMs: median(repetitions.map((repetition) => repetition.apartMs.get(providers) ?? Number.NaN)),
    share: sharesOf(middle, providers),
    bytesDown: middle.bytesSent / middle.steps,
    bytesUp: middle.bytesReceived / middle.steps,
  };
}

/**
 * The head's moving averages tell how much of a step the slowest node, transfer and aggregation take; the window tells the mean compute
 * time of the nodes.
 */
export function sharesOf({ ms, steps, computeMs, split }: StepWindow, providers: number): StepShares {
  const whole = split.computeMs + split.transferMs + split.aggregateMs;
  const [transfer, aggregate] = whole > 0 ? [split.transferMs / whole, split.aggregateMs / whole] : [0, 0];
  const compute = Math.min(computeMs / steps / providers / (ms / steps), 1 - transfer - aggregate);
  return { compute, transfer, aggregate, idle: Math.max(0, 1 - compute - transfer - aggregate) };
}
