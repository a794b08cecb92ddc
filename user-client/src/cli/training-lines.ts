/** Renders the report of a training run as text; pure. */
import { formatDuration, type StepSplit, type TrainingReport } from '@muster/shared';

/** 0.98765 as '98.8 %'; 100 % means all of them. */
export const formatShare = (share: number): string => `${(Math.floor(share * 1000 + 1e-9) / 10).toFixed(1)} %`;

export const formatLoss = (loss: number): string => (loss < 0.1 ? loss.toPrecision(3) : loss.toFixed(4));

export const formatSpeed = (samplesPerSecond: number): string =>
  `${Math.round(samplesPerSecond).toLocaleString('en')} samples/s`;

/** 'step 235/470', 'epoch 3/5'. */
export const placeOf = ({ step, steps, epoch, epochs }: TrainingReport): string[] => [
  `step ${step}/${steps}`,
  `epoch ${Math.min(epoch + 1, epochs)}/${epochs}`,
];

/** Loss, accuracies and speed; those not yet known are left out. */
export function figuresOf({ loss, trainAccuracy, testAccuracy, testLoss, samplesPerSecond }: TrainingReport): string[] {
  return [
    ...(loss === null ? [] : [`loss ${formatLoss(loss)}`]),
    ...(trainAccuracy === null ? [] : [`train ${formatShare(trainAccuracy)}`]),
    ...(testAccuracy === null ? [] : [`test ${formatShare(testAccuracy)}`]),
    ...(testAccuracy === null && testLoss !== null ? [`test loss ${formatLoss(testLoss)}`] : []),
    ...(samplesPerSecond > 0 ? [formatSpeed(samplesPerSecond)] : []),
  ];
}

export const stepMs = ({ computeMs, transferMs, aggregateMs }: StepSplit): number =>
  computeMs + transferMs + aggregateMs;

/** 'a step takes 42 ms: compute 80 %, transfer 15 %, aggregate 5 %'; null before the first. */
export function splitLine({ split }: TrainingReport): string | null {
  const whole = stepMs(split);
  if (whole <= 0) return null;
  const { computeMs, transferMs, aggregateMs } = split;
  const share = (name: string, ms: number): string => `${name} ${Math.round((100 * ms) / whole)} %`;
  // Until a node has reported its compute time, compute and transfer cannot be told apart.
  const nodes =
    computeMs > 0
      ? [share('compute', computeMs), share('transfer', transferMs)]
      : [share('compute and transfer', transferMs)];
  const parts = [...nodes, share('aggregate', aggregateMs)];
  return `a step takes ${formatDuration(whole)}: ${parts.join(', ')}`;
}

/** From the mean time of a step; evaluations are short beside it. null before the first step. */
export function trainingEtaMs({ step, steps, split }: TrainingReport): number | null {
  const whole = stepMs(split);
  return whole <= 0 || step >= steps ? null : (steps - step) * whole;
}

/** Steps after which the split is meaningful. */
const SETTLED_STEPS = 20;

/** Advice for a run whose nodes wait for the link; null when they do not, or when it is too early to say. */
export function linkAdvice({ step, split }: TrainingReport): string | null {
  const { computeMs, transferMs } = split;
  if (step < SETTLED_STEPS || computeMs === 0 || transferMs <= computeMs) return null;
  const times = transferMs / computeMs;
  return `advice: steps take ${times.toFixed(1)} times as long on the link as they compute; a --batch ${Math.ceil(times)} times as large or as many --local-steps make up for it, --compress sends less: docs/training.md`;
}
