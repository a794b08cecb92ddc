import { bytesOf, seededRandom, zeros } from '@muster/shared';
import type { Multiplier, Panel } from './backend.ts';

/** M, K, N of a middling tile: 0.54 GFLOP, 2 ms on one fast core. */
const SHAPE = [512, 1024, 512] as const;
const BUDGET_MS = 80;
const RUNS_MAX = 8;

/** GFLOP/s (GOP/s for int8): the best of a few runs, because other load on the machine only ever slows a run down. */
export async function calibrate(multiplier: Multiplier): Promise<number> {
  const [m, k, n] = SHAPE;
  const a = randomPanel(multiplier, m, k);
  const b = randomPanel(multiplier, k, n);
  // Warm-up: the first run faults memory in and compiles shaders.
  await multiplier.multiply(a, b);
  let bestMs = Number.POSITIVE_INFINITY;
  const end = performance.now() + BUDGET_MS;
  for (let run = 0; run === 0 || (run < RUNS_MAX && performance.now() < end); run++) {
    const start = performance.now();
    await multiplier.multiply(a, b);
    bestMs = Math.min(bestMs, performance.now() - start);
  }
  return (2 * m * k * n) / bestMs / 1e6;
}

/** Small integers: exact in every type, and no slow denormals. */
function randomPanel({ dtype }: Multiplier, rows: number, columns: number): Panel {
  const draw = seededRandom(rows);
  const elements = zeros(dtype, rows * columns);
  for (let i = 0; i < elements.length; i++) elements[i] = Math.floor(draw() * 100);
  return { bytes: bytesOf(elements), rows, columns };
}
