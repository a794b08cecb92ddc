/**
 * A node's observed throughput. The calibration at its start may have run on a busy machine, so its results are averaged too; plans use the
 * moving average only once it is off by a quarter, because every changed plan moves tiles to nodes that do not have their operands yet.
 */
import type { OperandDtype } from '@muster/shared';
import type { Provider } from './cluster-state.ts';

const WEIGHT = 0.2;
const TOLERANCE = 0.25;
/** Shorter computations are mostly noise. */
const COMPUTE_MS_MIN = 2;

export interface LearnedRate {
  /** GFLOP/s that plans use. */
  used: number;
  average: number;
}

export type LearnedRates = Record<OperandDtype, LearnedRate>;

const fromCalibration = (gflops: number): LearnedRate => ({ used: gflops, average: gflops });

export const learnedRates = ({ float32, float64, int8 }: Provider['device']['gflops']): LearnedRates => ({
  float32: fromCalibration(float32),
  float64: fromCalibration(float64),
  int8: fromCalibration(int8),
});

export function learn(rate: LearnedRate, flops: number, computeMs: number): void {
  if (computeMs < COMPUTE_MS_MIN || flops === 0) return;
  rate.average += WEIGHT * (flops / computeMs / 1e6 - rate.average);
  if (Math.abs(rate.average - rate.used) > TOLERANCE * rate.used) rate.used = rate.average;
}

export const usedRates = ({ float32, float64, int8 }: LearnedRates): Record<OperandDtype, number> => ({
  float32: float32.used,
  float64: float64.used,
  int8: int8.used,
});
