import type { Preset } from '@muster/shared';
import type { ClusterClient } from '@muster/user-client';
import type { BenchSamples } from './bench-samples.ts';
import { watchSteps, type StepWindow } from './step-window.ts';

export interface RunOptions {
  readonly model: Preset;
  readonly nodes: number;
  readonly samples: BenchSamples;
  /** Training options without `epochs`. */
  readonly training: { readonly batch: number } & Readonly<Record<string, unknown>>;
  /** Steps to measure. */
  readonly steps: number;
  /** Lower bound for the time of one step, in ms. */
  readonly stepMs: number;
  readonly signal: AbortSignal;
  readonly onEdge?: () => void;
}

const WARM_UP = 8;
/** Extra steps, so that the run outlasts the window even if status queries come late; it is cancelled after the window. */
const SPARE = 2000;

/** Trains for as long as the window is open, then cancels the run. */
export async function runWindow(client: ClusterClient, options: RunOptions): Promise<StepWindow> {
  const { model, nodes, samples, training, steps, stepMs, signal, onEdge } = options;
  const epochs = Math.ceil(((WARM_UP + 2 * steps + SPARE) * training.batch) / samples.count);
  const run = await client.train({ model, data: samples, nodes, options: { ...training, epochs }, signal });
  const window = await watchSteps(client, run.taskId, {
    warmUp: WARM_UP,
    steps,
    stepMs,
    signal,
    ...(onEdge && { onEdge }),
  });
  await run.cancel();
  return window;
}
