import { MusterError } from '../../errors.ts';
import { forwardFlops } from '../../model/flops.ts';
import { parameterCount } from '../../model/parameters.ts';
import { sampleBlocks, sampleBytes, samplesOfBlock } from '../../samples/layout.ts';
import { keepsResidual } from '../../training/options.ts';
import { shardResultBytesMax } from '../../training/shard-result.ts';
import type { BlockNeed, LeasedBlocks, LeaseTerms, Operand, TaskPlan, TaskType } from '../task-type.ts';
import { planRound, quorumOf, type TrainLayout, type TrainRound } from './round.ts';
import { blocksOfShard } from './shard-blocks.ts';
import { parseTrainSpec, type TrainSpec } from './spec.ts';
import { trainWork, type TrainWork } from './work.ts';

/** Operands whose blocks the head makes for each round. */
export const MODEL_OPERAND = 'model';
export const WEIGHTS_OPERAND = 'weights';

/**
 * Data-parallel training: each round is a step (or some steps that nodes make alone), or an evaluation of the test set. Operands 'train',
 * 'test' and 'checkpoint' come from the client; a subtask is a shard of the round's samples.
 */
export const train: TaskType<TrainSpec> = {
  name: 'train',
  runs: 'device',
  parseSpec: parseTrainSpec,
  operands,
  plan: (_, nodes) => ({
    subtasks: 0,
    batch: 1,
    homes: [],
    nodes: nodes.length,
    forecast: [],
    advice: '',
    layout: null,
  }),
  needs: (spec, plan, index) => [head(MODEL_OPERAND), head(WEIGHTS_OPERAND), ...dataNeeds(spec, plan, index)],
  rounds: { plan: planRound, quorum: quorumOf },
  work,
  readWork,
  payload: () => null,
  window: () => null,
  blockBytes,
  resultBytes: (spec) => shardResultBytesMax(parameterCount(spec.model)),
  keptBytes: ({ model }) => CHECKPOINT_BYTES_EACH * parameterCount(model),
  flops,
  region: () => [],
  describe: (spec) => ({ shape: [...spec.layout.features], dtype: 'float32' }),
};

/** For each parameter: the weight, two moments of an optimizer and one of the outer optimizer, float32. */
const CHECKPOINT_BYTES_EACH = 16;

function operands({ layout, trainSamples, testSamples, checkpointBytes }: TrainSpec): Operand[] {
  return [
    { name: 'train', blocks: sampleBlocks(layout, trainSamples) },
    { name: 'test', blocks: sampleBlocks(layout, testSamples) },
    { name: 'checkpoint', blocks: checkpointBytes > 0 ? 1 : 0 },
  ];
}

const head = (operand: string): BlockNeed => ({ operand, block: 0 });

const setOf = ({ kind }: TrainRound): 'train' | 'test' => (kind === 'evaluate' ? 'test' : 'train');

const samplesOf = (spec: TrainSpec, set: 'train' | 'test'): number =>
  set === 'train' ? spec.trainSamples : spec.testSamples;

function dataNeeds(spec: TrainSpec, plan: TaskPlan, index: number): BlockNeed[] {
  const { round } = plan.layout as TrainLayout;
  const operand = setOf(round);
  return blocksOfShard(spec, round, shardAt(plan, index)).map((block) => ({ operand, block }));
}

function shardAt(plan: TaskPlan, index: number): readonly [number, number] {
  const shard = (plan.layout as TrainLayout).shards[index];
  if (shard === undefined) throw new MusterError('BUG', `a round of ${plan.subtasks} shards was asked for ${index}`);
  return shard;
}

function work(spec: TrainSpec, plan: TaskPlan, { indices: [index = 0], blocks, node }: LeaseTerms): TrainWork {
  const { round } = plan.layout as TrainLayout;
  const { options, layout } = spec;
  const [from, to] = shardAt(plan, index);
  const needs = dataNeeds(spec, plan, index);
  return {
    kind: round.kind,
    model: blocks(head(MODEL_OPERAND)),
    weights: blocks(head(WEIGHTS_OPERAND)),
    layout,
    samples: samplesOf(spec, setOf(round)),
    seed: options.seed,
    epoch: round.epoch,
    step: round.step,
    from,
    to,
    numbers: needs.map(({ block }) => block),
    blocks: needs.map(blocks),
    compression: options.compression,
    keepsResidual: keepsResidual(options),
    taken: round.taken === undefined ? null : (round.taken[node] ?? 0),
    deterministic: options.deterministic,
    local: localSteps(spec, round),
  };
}

function localSteps(
  {
    options: { localSteps: steps, batch, optimizer, momentum, beta1, beta2, epsilon, weightDecay, clipNorm },
  }: TrainSpec,
  round: TrainRound,
): TrainWork['local'] {
  if (steps === 1 || round.kind === 'evaluate') return null;
  const own = Math.max(1, Math.ceil((round.to - round.from) / batch));
  const rates = { optimizer, momentum, beta1, beta2, epsilon, weightDecay, clipNorm };
  return { ...rates, steps: own, learningRate: round.learningRate };
}

function readWork(raw: unknown): LeasedBlocks {
  const parsed = trainWork.parse(raw);
  return { work: parsed, blocks: [...new Set([parsed.model, parsed.weights, ...parsed.blocks])] };
}

function blockBytes({ layout, trainSamples, testSamples, checkpointBytes }: TrainSpec, need: BlockNeed): number {
  if (need.operand === 'checkpoint') return checkpointBytes;
  const samples = need.operand === 'train' ? trainSamples : testSamples;
  const [from, to] = samplesOfBlock(layout, samples, need.block);
  return Math.max(0, to - from) * sampleBytes(layout);
}

/** The backward pass takes twice the operations of the forward pass. */
function flops(spec: TrainSpec, plan: TaskPlan, index: number): number {
  const [from, to] = shardAt(plan, index);
  const { kind } = (plan.layout as TrainLayout).round;
  return (to - from) * forwardFlops(spec.model) * (kind === 'evaluate' ? 1 : 3);
}
