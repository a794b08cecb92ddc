/** What a training run will ask of the nodes and of the link, told before it begins. */
import {
  forwardFlops,
  formatBytes,
  formatDuration,
  parameterCount,
  type NodeStatus,
  type TrainingOptions,
  type TrainSpec,
} from '@muster/shared';
import { plural } from './figures.ts';

/** 1 Gbit/s, as TCP carries it. Nodes that share the head's files need no link. */
const LINK_BYTES_PER_MS = 118_000;

/** Costs of one step, all nodes together. */
export interface StepPlan {
  readonly parameters: number;
  readonly nodes: number;
  /** To and from each node. */
  readonly downBytes: number;
  readonly upBytes: number;
  /** At the measured rate of the nodes, which few networks reach. */
  readonly computeMs: number;
  /** Of all weights and gradients over one link of the head. */
  readonly transferMs: number;
}

type Rated = Pick<NodeStatus, 'state' | 'gflops' | 'sharesStore'>;

/** The fastest nodes that are ready, as many as are wanted. */
export function planStep({ model, options }: TrainSpec, nodes: readonly Rated[], wanted: number): StepPlan {
  const team = nodes
    .filter(({ state }) => state === 'ready' || state === 'busy')
    .toSorted((one, other) => other.gflops.float32 - one.gflops.float32)
    .slice(0, wanted);
  const parameters = parameterCount(model);
  const [downBytes, upBytes] = [4 * parameters, 4 * parameters * shareSent(options)];
  const gflops = team.reduce((sum, node) => sum + node.gflops.float32, 0);
  const computeMs = (3 * forwardFlops(model) * options.batch * options.localSteps) / (Math.max(gflops, 1e-3) * 1e6);
  const remote = team.filter(({ sharesStore }) => !sharesStore).length;
  return {
    parameters,
    nodes: team.length,
    downBytes,
    upBytes,
    computeMs,
    transferMs: (remote * (downBytes + upBytes)) / LINK_BYTES_PER_MS,
  };
}

/** Bytes that a gradient travels in, over those of float32. */
function shareSent({ compression }: Pick<TrainingOptions, 'compression'>): number {
  if (typeof compression === 'object') return Math.min(1, 2 * compression.topk);
  return { none: 1, bf16: 1 / 2, int8: 1 / 4 }[compression];
}

/** One line, and a second one when the link and not the computation would set the pace. */
export function planLines(spec: TrainSpec, nodes: readonly Rated[], wanted: number): string[] {
  const plan = planStep(spec, nodes, wanted);
  const { parameters, downBytes, upBytes, computeMs, transferMs } = plan;
  const { batch, localSteps, epochs } = spec.options;
  const steps = Math.ceil(spec.trainSamples / batch) * epochs;
  const exchange = localSteps > 1 ? `${localSteps} steps of ${batch} samples` : `a step of ${plural(batch, 'sample')}`;
  const line =
    `plan: ${parameters.toLocaleString('en')} parameters, ${plural(steps, 'step')}; for ${exchange} ` +
    `${formatBytes(downBytes)} go to each node and ${formatBytes(upBytes)} come back`;
  if (plan.nodes === 0 || transferMs <= computeMs) return [line];
  const why = `advice: over 1 Gbit/s that takes ${formatDuration(transferMs)} for ${plural(plan.nodes, 'node')}, the computation about ${formatDuration(computeMs)}`;
  return [line, `${why}: ${remedies(spec.options)}`];
}

/** What makes a step compute longer or send less, the mildest first; what was chosen already is left out. */
export function remedies({ compression, localSteps, deterministic, batch }: TrainingOptions): string {
  const open = [
    ...(compression === 'none' ? ['--compress bf16'] : []),
    `--batch ${batch * 4}`,
    ...(localSteps === 1 && !deterministic ? ['--local-steps 32'] : []),
  ];
  return `${open.slice(0, -1).join(', ')}${open.length > 1 ? ' or ' : ''}${open.at(-1)} would help`;
}
