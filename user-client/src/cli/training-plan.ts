/** What a training run will demand of nodes and link, shown before it begins. */
import {
  forwardFlops,
  formatBytes,
  formatDuration,
  parameterCount,
  shardsNeeded,
  type NodeStatus,
  type TrainingOptions,
  type TrainSpec,
  plural,
} from '@muster/shared';
import { formatLink } from './figures.ts';

/** 1 Gbit/s less TCP overhead; assumed for a node that has not measured its link. */
const LINK_BYTES_PER_MS = 118_000;

/** Cost of one exchange (a step, or `localSteps` of them). */
export interface StepPlan {
  readonly parameters: number;
  readonly nodes: number;
  /** Weights to each node, gradient from each node. */
  readonly downBytes: number;
  readonly upBytes: number;
  /** All nodes together, at their measured rate, which few networks reach. */
  readonly computeMs: number;
  /** All weights and gradients one after the other, because all nodes share the head's link. */
  readonly transferMs: number;
  /** Link of the slowest node; null if all nodes share the head's files. */
  readonly slowestBytesPerMs: number | null;
}

type Rated = Pick<NodeStatus, 'state' | 'gflops' | 'sharesStore' | 'linkBytesPerMs' | 'device' | 'label'>;

/** The fastest nodes that are ready, as many as are wanted. */
const teamOf = (nodes: readonly Rated[], wanted: number): Rated[] =>
  nodes
    .filter(({ state }) => state === 'ready' || state === 'busy')
    .toSorted((one, other) => other.gflops.float32 - one.gflops.float32)
    .slice(0, wanted);

export function planStep({ model, options }: TrainSpec, nodes: readonly Rated[], wanted: number): StepPlan {
  const team = teamOf(nodes, wanted);
  const parameters = parameterCount(model);
  const [downBytes, upBytes] = [4 * parameters, 4 * parameters * shareSent(options)];
  const gflops = team.reduce((sum, node) => sum + node.gflops.float32, 0);
  const computeMs = (3 * forwardFlops(model) * options.batch * options.localSteps) / (Math.max(gflops, 1e-3) * 1e6);
  const links = team.filter(({ sharesStore }) => !sharesStore).map((node) => node.linkBytesPerMs || LINK_BYTES_PER_MS);
  return {
    parameters,
    nodes: team.length,
    downBytes,
    upBytes,
    computeMs,
    transferMs: links.reduce((ms, bytesPerMs) => ms + (downBytes + upBytes) / bytesPerMs, 0),
    slowestBytesPerMs: links.length === 0 ? null : Math.min(...links),
  };
}

/** Size of an encoded gradient relative to float32. */
function shareSent({ compression }: Pick<TrainingOptions, 'compression'>): number {
  if (typeof compression === 'object') return Math.min(1, 2 * compression.topk);
  return { none: 1, bf16: 1 / 2, int8: 1 / 4 }[compression];
}

/** What will travel, and what to know beforehand: a link slower than the computation, settings that these nodes cannot honour. */
export function planLines(spec: TrainSpec, nodes: readonly Rated[], wanted: number): string[] {
  const plan = planStep(spec, nodes, wanted);
  const team = teamOf(nodes, wanted);
  const { parameters, downBytes, upBytes } = plan;
  const { batch, localSteps, epochs } = spec.options;
  const steps = Math.ceil(spec.trainSamples / batch) * epochs;
  const exchange = localSteps > 1 ? `${localSteps} steps of ${batch} samples` : `a step of ${plural(batch, 'sample')}`;
  const line =
    `plan: ${parameters.toLocaleString('en')} parameters, ${plural(steps, 'step')}; for ${exchange} ` +
    `${formatBytes(downBytes)} go to each node and ${formatBytes(upBytes)} come back`;
  const others = [linkLine(spec, plan), outvotedLine(spec, team), unlikeLine(spec, team)];
  return [line, ...others.filter((other) => other !== null)];
}

function linkLine(spec: TrainSpec, plan: StepPlan): string | null {
  const { nodes, computeMs, transferMs, slowestBytesPerMs } = plan;
  if (nodes === 0 || slowestBytesPerMs === null || transferMs <= computeMs) return null;
  const [took, computation] = [transferMs, computeMs].map(formatDuration);
  const link = `over links of ${formatLink(slowestBytesPerMs)}${nodes > 1 ? ' and more' : ''}`;
  const why = `${link} that takes ${took} for ${plural(nodes, 'node')}, the computation about ${computation}`;
  return `advice: ${why}: ${remedies(spec, plan)}`;
}

/**
 * For each setting the change that the link needs, the mildest first; settings that cannot suffice or conflict with others are left out.
 */
export function remedies({ options, trainSamples }: TrainSpec, plan: StepPlan): string {
  const { batch, compression, deterministic, localSteps } = options;
  const times = Math.ceil(plan.transferMs / plan.computeMs);
  const bf16Ms = (plan.transferMs * (plan.downBytes + plan.upBytes / 2)) / (plan.downBytes + plan.upBytes);
  const enough = [
    ...(compression === 'none' && bf16Ms <= plan.computeMs ? ['--compress bf16'] : []),
    ...(batch * times <= trainSamples ? [`--batch ${batch * times}`] : []),
    ...(deterministic ? [] : [`--local-steps ${localSteps * times}`]),
  ];
  if (enough.length === 0) return 'fewer nodes are faster';
  return `${enough.slice(0, -1).join(', ')}${enough.length > 1 ? ' or ' : ''}${enough.at(-1)} would be enough`;
}

/** A node that computes two of three shards is a majority. */
function outvotedLine({ options }: TrainSpec, { length }: readonly Rated[]): string | null {
  const needed = shardsNeeded(options);
  if (length === 0 || length >= needed) return null;
  return `warning: of fewer than ${needed} nodes one that lies decides the ${options.aggregator}; there are ${length}`;
}

/** On devices that differ in the last bits, the weights depend on which node computed what. */
function unlikeLine({ options }: TrainSpec, team: readonly Rated[]): string | null {
  const kinds = [...new Set(team.map(({ device, label }) => `${device} (${label})`))];
  if (!options.deterministic || kinds.length < 2) return null;
  return `warning: weights are the same only on nodes that compute alike, and these are ${kinds.join(', ')}`;
}
