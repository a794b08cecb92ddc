import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  deferred,
  elementsOf,
  encodeGradient,
  packBlock,
  parseTrainSpec,
  sampleBlocks,
  samplesOfBlock,
  seededRandom,
  shardHeader,
  silentLogger,
  taskTypeNamed,
  type BlockId,
  type Logger,
  type ProviderId,
  type RoundStart,
  type TaskId,
  type TaskPlan,
  type TrainingReport,
  type TrainLayout,
  type TrainSpec,
  type TrainWork,
  type WireError,
} from '@muster/shared';
import { nodeFacts } from '@muster/shared/testkit';
import type { MadeBlock, OpenRun, ReadyRound, ReturnedShard } from '../../src/train/calls.ts';
import { startTrainer, type Trainer, type TrainerListener } from '../../src/train/index.ts';
import { recomputation } from '../../src/train/recomputation.ts';

const NODE = 'node' as ProviderId;

export const script = join(import.meta.dirname, '../../dist/train/train-main.js');

/** Three classes of six bytes: which two neighbours are bright. */
const layout = {
  features: [6],
  featureType: 'uint8',
  scale: 1 / 255,
  shift: 0,
  target: { kind: 'classes', classes: 3 },
  samplesPerBlock: 16,
} as const;

export const smallSpec = (options: Record<string, unknown> = {}): TrainSpec =>
  parseTrainSpec({
    model: {
      name: 'small',
      input: [6],
      layers: [
        { type: 'dense', units: 8 },
        { type: 'relu' },
        { type: 'dropout', rate: 0.1 },
        { type: 'dense', units: 3 },
      ],
      loss: 'crossEntropy',
    },
    layout,
    trainSamples: 120,
    testSamples: 30,
    checkpointBytes: 0,
    options: { epochs: 4, batch: 32, deterministic: true, virtualShards: 4, ...options },
  });

/** Files of the blocks of so many samples. */
export function writeSamples(directory: string, name: string, samples: number): string[] {
  const random = seededRandom(samples);
  const targets = Uint16Array.from({ length: samples }, () => Math.floor(random() * 3));
  const features = new Uint8Array(samples * 6).map((_, at) => {
    const bright = Math.floor((at % 6) / 2) === targets[Math.floor(at / 6)];
    return Math.floor(random() * 120) + (bright ? 130 : 0);
  });
  const spec = smallSpec();
  return Array.from({ length: sampleBlocks(spec.layout, samples) }, (_, number) => {
    const path = join(directory, `${name}-${number}`);
    const range = samplesOfBlock(spec.layout, samples, number);
    writeFileSync(path, packBlock(spec.layout, { features, targets }, range));
    return path;
  });
}

export type Ending =
  { readonly type: 'ended'; readonly report: TrainingReport } | { readonly type: 'failed'; readonly error: WireError };

/** In the place of core, driver and nodes: every round is computed, checked and folded as it comes. */
export class SmallRun implements TrainerListener {
  readonly starts: RoundStart[] = [];
  /** Of the rounds that began. */
  readonly tasks: TaskId[] = [];
  readonly reports: TrainingReport[] = [];
  readonly ending: Promise<Ending>;
  /** Checks that have not settled. */
  pending = 0;
  readonly #ending = deferred<Ending>();
  readonly #directory: string;
  readonly #run: OpenRun;
  readonly #trainer: Trainer;
  readonly #blocks = new Map<string, Buffer>();
  readonly #compute: ReturnType<typeof recomputation>;
  /** Called when a round is there; the run stops when it says so. */
  readonly #isStopped: (start: RoundStart) => boolean;

  constructor(trainer: Trainer, run: OpenRun, { directory, isStopped = () => false }: SmallRunOptions) {
    this.#trainer = trainer;
    this.#run = run;
    this.#directory = directory;
    this.#isStopped = isStopped;
    this.#compute = recomputation(run);
    this.ending = this.#ending.promise;
    trainer.listen(this);
  }

  ready(task: TaskId, { start, blocks, report }: ReadyRound): void {
    this.starts.push(start);
    this.tasks.push(task);
    this.reports.push(report);
    for (const block of blocks) this.#adopt(block);
    if (this.#isStopped(start)) return;
    void this.#work(task, start);
  }

  ended(_task: TaskId, report: TrainingReport): void {
    this.#ending.resolve({ type: 'ended', report });
  }

  failed(_task: TaskId, error: WireError): void {
    this.#ending.resolve({ type: 'failed', error });
  }

  #adopt({ id, bytes, path }: MadeBlock): void {
    const kept = join(this.#directory, `block-${id}`);
    renameSync(path, kept);
    const content = readFileSync(kept);
    if (content.length !== bytes) throw new Error(`${path} has ${content.length} bytes`);
    this.#blocks.set(id, content);
  }

  async #work(task: TaskId, start: RoundStart): Promise<void> {
    const plan = taskTypeNamed('train').rounds!.plan(this.#run.spec, start, [nodeFacts()]);
    const indices = Array.from({ length: plan.subtasks }, (_, index) => index);
    for (const index of indices) {
      const shard = await this.#shard(task, start, { plan, index });
      this.pending += 1;
      const { ok, why } = await this.#trainer.check(shard);
      this.pending -= 1;
      if (!ok) return this.#ending.reject(new Error(why));
    }
    this.#trainer.fold(task, start.round, indices);
  }

  async #shard(
    task: TaskId,
    start: RoundStart,
    { plan, index }: { plan: TaskPlan; index: number },
  ): Promise<ReturnedShard> {
    const type = taskTypeNamed('train');
    const work = type.work(this.#run.spec, plan, {
      indices: [index],
      blocks: () => '' as BlockId,
      node: NODE,
    }) as TrainWork;
    const weights = this.#blocks.get(start.blocks.find(({ operand }) => operand === 'weights')!.id)!;
    const sums = await this.#compute(work, elementsOf('float32', weights));
    const path = join(this.#directory, `shard-${start.round}-${index}`);
    const payload =
      work.kind === 'evaluate' ? new Uint8Array() : encodeGradient(this.#run.spec.options.compression, sums.vector);
    writeFileSync(path, Buffer.concat([shardHeader(sums), payload]));
    return {
      task,
      round: start.round,
      index,
      node: NODE,
      path,
      computeMs: 1,
      layout: plan.layout as TrainLayout,
    };
  }
}

export interface SmallRunOptions {
  readonly directory: string;
  readonly isStopped?: (start: RoundStart) => boolean;
}

export interface TrainerIn {
  readonly directory: string;
  readonly incomingDirectory: string;
  readonly script?: string;
  readonly logger?: Logger;
}

export const trainerIn = (options: TrainerIn): Promise<Trainer> =>
  startTrainer({ logger: silentLogger, script, ...options });
