import { limits, optimizerNames, parseDurationMs } from '@muster/shared';
import type { Flags } from '../flags.ts';
import { maybeOneOf, numberOf, oneOf, required, usage, wholeOf } from './values.ts';

export interface TrainRun {
  readonly task: 'train';
  /** 'mlp', 'lenet' or a file; undefined: taken from the checkpoint. */
  readonly model: string | undefined;
  readonly data: string;
  /** undefined: taken from the model or the labels. */
  readonly classes: number | undefined;
  /** Options that were given, under the names of the library. */
  readonly options: Readonly<Record<string, unknown>>;
  /** A task id or a checkpoint file. */
  readonly resume: string | undefined;
  readonly out: string | undefined;
  readonly onnx: string | undefined;
}

const SEED_MAX = 2 ** 32 - 1;
const PARTS_MAX = 1_000_000;
const SCHEDULES = ['constant', 'cosine', 'step'] as const;
const AGGREGATORS = ['mean', 'trimmed-mean', 'median'] as const;
const COMPRESSIONS = ['none', 'bf16', 'int8', 'topk:1%'] as const;

export function resolveTrain(flags: Flags): TrainRun {
  const { model, resume, out, onnx } = flags;
  const why = 'a training run needs samples';
  const data = required(flags.data, '--data', {
    why,
    fix: '--data synthetic, or a directory or file: docs/data-sets.md',
  });
  if (model === undefined && resume === undefined) {
    throw usage('--model is missing', {
      why: 'a training run needs a network, or a checkpoint that has one',
      fix: '--model lenet, --model MODEL.json, or --resume TASK',
    });
  }
  if (out !== undefined && out === onnx) {
    throw usage('--out and --onnx name the same file', { why: `both are '${out}'`, fix: `--onnx ${out}.onnx` });
  }
  const classes = wholeOf(flags.classes, '--classes', [2, limits.dimensionMax.value]);
  return { task: 'train', model, data, classes, options: given(optionsOf(flags)), resume, out, onnx };
}

const optionsOf = (flags: Flags): Readonly<Record<string, unknown>> => ({
  epochs: wholeOf(flags.epochs, '--epochs', [1, PARTS_MAX]),
  batch: wholeOf(flags.batch, '--batch', [1, 2 ** 24]),
  optimizer: maybeOneOf(flags.optimizer, '--optimizer', optimizerNames),
  learningRate: numberOf(flags.lr, '--lr', [1e-12, 1000, 0.05]),
  momentum: numberOf(flags.momentum, '--momentum', [0, 0.999999, 0.9]),
  weightDecay: numberOf(flags.weightDecay, '--weight-decay', [0, 1, 0.0001]),
  schedule: maybeOneOf(flags.schedule, '--schedule', SCHEDULES),
  warmupSteps: wholeOf(flags.warmupSteps, '--warmup-steps', [0, 2 ** 31]),
  clipNorm: numberOf(flags.clipNorm, '--clip-norm', [0, 1e30, 1]),
  seed: wholeOf(flags.seed, '--seed', [0, SEED_MAX]),
  deterministic: flags.deterministic,
  compression: compressionOf(flags.compress),
  localSteps: wholeOf(flags.localSteps, '--local-steps', [1, PARTS_MAX]),
  aggregator: maybeOneOf(flags.aggregator, '--aggregator', AGGREGATORS),
  checkpointEveryMs: durationOf(flags.checkpointEvery),
});

const given = (options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

/** 'topk' is followed by a share, as in 'topk:1%'. */
function compressionOf(text: string | undefined): string | undefined {
  const share = /^topk:(\d+(?:\.\d+)?)%$/.exec(text ?? '')?.[1];
  if (text === undefined || (Number(share) > 0 && Number(share) <= 100)) return text;
  return oneOf(text, '--compress', COMPRESSIONS);
}

const durationOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Math.round(parseDurationMs(text, '--checkpoint-every'));
