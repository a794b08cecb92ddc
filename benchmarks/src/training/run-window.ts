import type { Preset } from '@muster/shared';
import type { ClusterClient } from '@muster/user-client';
import type { BenchSamples } from './bench-samples.ts';
import { watchSteps, type StepWindow } from './step-window.ts';

export interface RunOptions {
  readonly model: Preset;
  readonly nodes: number;
  readonly samples: BenchSamples;
  /** Options of the training but for epochs. */
  readonly training: { readonly batch: number } & Readonly<Record<string, unknown>>;
  /** Steps to be watched. */
  readonly steps: number;
  /** What one takes at least, ms. */
  readonly stepMs: number;
  readonly signal: AbortSignal;
  readonly onEdge?: () => void;
}

const WARM_UP = 8;
/** The run is cancelled behind the window. One that ended before would leave nothing to look at, and looks may come late. */
const SPARE = 2000;

/** Trains for as long as the window is open. */
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
