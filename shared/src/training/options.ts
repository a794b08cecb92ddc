import { z } from 'zod';
import { MusterError } from '../errors.ts';
import { parseCompression, type Compression } from './compression.ts';
import { shardsNeeded } from './robust-mean.ts';

export const optimizerNames = ['sgd', 'momentum', 'nesterov', 'adam', 'adamw'] as const;
export type OptimizerName = (typeof optimizerNames)[number];

const below1 = z.number().min(0).lt(1);
const count = (min: number, max: number): z.ZodNumber => z.number().int().min(min).max(max);

const givenCompression = z
  .unknown()
  .default('none')
  .transform((given, context): Compression => {
    const parsed = parseCompression(given);
    if (parsed === undefined) context.addIssue("not 'none', 'bf16', 'int8' or a share of 100 % like 'topk:1%'");
    return parsed ?? z.NEVER;
  });

const trainingOptions = z.strictObject({
  epochs: count(1, 1_000_000).default(10),
  /** Samples of one global step, all nodes together. */
  batch: count(1, 2 ** 24).default(128),
  optimizer: z.enum(optimizerNames).default('momentum'),
  /** Peak of the schedule. Absent: 0.1 for plain SGD, and under a cosine also for momentum; else 0.01; 0.001 for Adam. */
  learningRate: z.number().positive().max(1000).optional(),
  momentum: below1.default(0.9),
  beta1: below1.default(0.9),
  beta2: below1.default(0.999),
  epsilon: z.number().positive().max(1).default(1e-8),
  /** Decoupled for adamw (absent: 0.01), an L2 term of the gradient for the others (absent: 0). */
  weightDecay: z.number().min(0).max(1).optional(),
  schedule: z.enum(['constant', 'cosine', 'step']).default('cosine'),
  warmupSteps: count(0, 2 ** 31).default(0),
  /** For schedule 'step': the rate is multiplied by `stepFactor` after every `stepEvery` steps. */
  stepEvery: count(1, 2 ** 31).default(1000),
  stepFactor: z.number().positive().max(1).default(0.1),
  /** Largest global norm of the mean gradient; 0: never clipped. */
  clipNorm: z.number().min(0).max(1e30).default(0),
  seed: count(0, 2 ** 32 - 1).default(0),
  /** Same bits for any set of nodes, as long as they compute with one backend on one family of processors. */
  deterministic: z.boolean().default(false),
  compression: givenCompression,
  /** Steps that a node makes alone between two exchanges; 1: every gradient is exchanged. */
  localSteps: count(1, 1_000_000).default(1),
  outerLearningRate: z.number().positive().max(10).default(0.7),
  outerMomentum: below1.default(0.6),
  aggregator: z.enum(['mean', 'trimmed-mean', 'median']).default('mean'),
  /** Share of the shards that a trimmed mean drops at each end, per coordinate. */
  trim: z.number().min(0).lt(0.5).default(0.25),
  /** Fixed shards of a batch, and the leaves of the tree that their gradients are added in. */
  virtualShards: count(1, 1024).default(8),
  checkpointEveryMs: count(0, 2 ** 40).default(10_000),
});

type Parsed = z.infer<typeof trainingOptions>;

/**
 * Options of a training task: all optional for users, total and frozen inside. The result of `parseTrainingOptions` is valid input for it.
 */
export type TrainingOptions = Readonly<
  Omit<Parsed, 'learningRate' | 'weightDecay'> & { learningRate: number; weightDecay: number }
>;

interface Conflict {
  readonly when: (options: TrainingOptions) => boolean;
  readonly what: string;
  readonly why: (options: TrainingOptions) => string;
  readonly fix: string;
}

/** Below this, a batch would be cut into more shards than there can be nodes. */
const TRIM_MIN = 0.02;

const drops = ({ aggregator }: TrainingOptions): boolean => aggregator === 'trimmed-mean';

const sparse = ({ compression }: TrainingOptions): boolean => typeof compression === 'object';

/** Robust aggregators with local steps are allowed: a trimmed mean or median of weight deltas is as well defined as one of gradients. */
const conflicts: readonly Conflict[] = [
  {
    when: ({ deterministic, localSteps }) => deterministic && localSteps > 1,
    what: 'deterministic training needs every gradient',
    why: ({ localSteps }) => `localSteps is ${localSteps}: weights then depend on which node saw which samples`,
    fix: 'set localSteps to 1, or deterministic to false',
  },
  {
    when: (options) => options.deterministic && sparse(options),
    what: 'deterministic training cannot use top-k compression',
    why: () => 'what top-k leaves out is kept on the node that left it out',
    fix: "set compression to 'none', 'bf16' or 'int8', or deterministic to false",
  },
  {
    when: (options) => options.aggregator !== 'mean' && sparse(options),
    what: 'a robust aggregator cannot use top-k compression',
    why: ({ aggregator }) => `the ${aggregator} of gradients that are mostly zero is mostly zero`,
    fix: "set compression to 'none', 'bf16' or 'int8', or aggregator to 'mean'",
  },
  {
    when: (options) => drops(options) && options.trim < TRIM_MIN,
    what: 'a trimmed mean that drops so little is a mean',
    why: ({ trim }) => `trim is ${trim}: of up to ${Math.floor(1 / TRIM_MIN)} shards none would be dropped`,
    fix: `set trim to at least ${TRIM_MIN}, or aggregator to 'mean'`,
  },
  {
    when: (options) => shardsNeeded(options) > options.batch,
    what: 'a robust aggregator needs more shards than the batch has samples',
    why: (options) => `batch is ${options.batch}, and the ${options.aggregator} needs ${shardsNeeded(options)} shards`,
    fix: "set batch to at least that, or aggregator to 'mean'",
  },
  {
    when: ({ batch, virtualShards, deterministic }) => deterministic && virtualShards > batch,
    what: 'a batch cannot have more virtual shards than samples',
    why: ({ batch, virtualShards }) => `virtualShards is ${virtualShards}, batch is ${batch}`,
    fix: 'set virtualShards to at most the batch',
  },
];

/**
 * Defaults, ranges and cross-checks of a training task's options.
 * @throws USAGE that names the option, the value seen and the way out.
 */
export function parseTrainingOptions(raw: unknown): TrainingOptions {
  const parsed = trainingOptions.safeParse(raw ?? {});
  if (!parsed.success) throw invalid(raw, parsed.error.issues[0]);
  const options = resolved(parsed.data);
  const conflict = conflicts.find(({ when }) => when(options));
  if (conflict) throw new MusterError('USAGE', conflict.what, { why: conflict.why(options), fix: conflict.fix });
  return options;
}

function resolved(parsed: Parsed): TrainingOptions {
  return Object.freeze({
    ...parsed,
    learningRate: parsed.learningRate ?? defaultLearningRate(parsed),
    weightDecay: parsed.weightDecay ?? (parsed.optimizer === 'adamw' ? 0.01 : 0),
  });
}

/** Momentum 0.9 makes steps ten times as long, which is stable only with a rate that falls to zero. */
function defaultLearningRate({ optimizer, schedule }: Parsed): number {
  if (optimizer === 'adam' || optimizer === 'adamw') return 0.001;
  return optimizer === 'sgd' || schedule === 'cosine' ? 0.1 : 0.01;
}

function invalid(raw: unknown, issue: z.core.$ZodIssue | undefined): MusterError {
  const path = (issue?.path ?? []).map(String);
  const seen = path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], raw);
  const name = path[0] ?? 'options';
  return new MusterError('USAGE', `the training option ${name} is not valid`, {
    why: `${issue?.message ?? 'unknown'}; got ${JSON.stringify(seen) ?? String(seen)}`,
    fix: `give ${name} a value in its range, or leave it out`,
  });
}

/**
 * Is what compression loses kept on the node and sent with the next gradient? For top-k always: without it accuracy
 * falls by a point. For int8 only where a node's history may matter, so not in deterministic training.
 */
export function keepsResidual({ compression, deterministic }: TrainingOptions): boolean {
  return typeof compression === 'object' || (compression === 'int8' && !deterministic);
}
