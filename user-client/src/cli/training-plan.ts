/** What a training run will ask of the nodes and of the link, told before it begins. */
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

/** 1 Gbit/s, as TCP carries it: of a node that has not measured its link yet. */
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
  /** Of all weights and gradients, one node after the other: they share the head's own link. */
  readonly transferMs: number;
  /** Of the slowest node; null where all share the head's files. */
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

/** Bytes that a gradient travels in, over those of float32. */
function shareSent({ compression }: Pick<TrainingOptions, 'compression'>): number {
  if (typeof compression === 'object') return Math.min(1, 2 * compression.topk);
  return { none: 1, bf16: 1 / 2, int8: 1 / 4 }[compression];
}

/** What goes where, and what a person should know before it does: a link that sets the pace, settings that do not hold with these nodes. */
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

/** Of each setting as much as the link needs, the mildest first; what cannot be enough, or does not go with the others, is left out. */
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

/** A node with two of three shards is a majority. */
function outvotedLine({ options }: TrainSpec, { length }: readonly Rated[]): string | null {
  const needed = shardsNeeded(options);
  if (length === 0 || length >= needed) return null;
  return `warning: of fewer than ${needed} nodes one that lies decides the ${options.aggregator}; there are ${length}`;
}

/** Where they differ in the last bits, the weights depend on who computed what. */
function unlikeLine({ options }: TrainSpec, team: readonly Rated[]): string | null {
  const kinds = [...new Set(team.map(({ device, label }) => `${device} (${label})`))];
  if (!options.deterministic || kinds.length < 2) return null;
  return `warning: weights are the same only on nodes that compute alike, and these are ${kinds.join(', ')}`;
}
