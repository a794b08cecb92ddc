/** Some steps out of the middle of a run, as the head tells of them. */
import { fromWireError, type StepSplit, type TaskStatus } from '@muster/shared';
import { waitUntil } from '@muster/shared/testkit';
import type { ClusterClient } from '@muster/user-client';
import { setTimeout } from 'node:timers/promises';

export interface WindowOptions {
  /** Steps before the window: sessions are opened in them, and the first shard of each node is audited. */
  readonly warmUp: number;
  readonly steps: number;
  /** What a step takes at least, ms: for so long the run is left alone, because each look costs the head some of its time. */
  readonly stepMs: number;
  readonly signal: AbortSignal;
  /** When the window is opened and when it is closed. */
  readonly onEdge?: () => void;
}

/** What went on between two looks at a run. */
export interface StepWindow {
  readonly steps: number;
  readonly ms: number;
  /** Of all nodes together. */
  readonly computeMs: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Of a step at the end of the window, see TrainingReport. */
  readonly split: StepSplit;
}

export interface Look {
  readonly status: TaskStatus;
  readonly atMs: number;
}

const PATIENCE_MS = 600_000;

export async function watchSteps(client: ClusterClient, taskId: string, options: WindowOptions): Promise<StepWindow> {
  const { warmUp, steps, stepMs, signal, onEdge = () => undefined } = options;
  const first = await stepReached(client, taskId, { step: warmUp, signal });
  onEdge();
  await setTimeout(steps * stepMs, undefined, { signal });
  const last = await stepReached(client, taskId, { step: stepOf(first) + steps, signal });
  onEdge();
  return windowBetween(first, last);
}

interface Reaching {
  readonly step: number;
  readonly signal: AbortSignal;
}

/** Rejects with the error of a run that fails before. */
async function stepReached(client: ClusterClient, taskId: string, { step, signal }: Reaching): Promise<Look> {
  const look = await waitUntil(
    async () => {
      const status = await client.task(taskId);
      const seen = { status, atMs: performance.now() };
      return (signal.aborted || status.error !== null || stepOf(seen) >= step) && seen;
    },
    { what: `step ${step}`, timeoutMs: PATIENCE_MS },
  );
  signal.throwIfAborted();
  if (look.status.error !== null) throw fromWireError(look.status.error);
  return look;
}

const stepOf = ({ status }: Look): number => status.training?.step ?? 0;

export function windowBetween(first: Look, last: Look): StepWindow {
  const computeMs = ({ status: { nodes } }: Look): number => nodes.reduce((sum, node) => sum + node.computeMs, 0);
  return {
    steps: stepOf(last) - stepOf(first),
    ms: last.atMs - first.atMs,
    computeMs: computeMs(last) - computeMs(first),
    bytesSent: last.status.bytesSent - first.status.bytesSent,
    bytesReceived: last.status.bytesReceived - first.status.bytesReceived,
    split: last.status.training?.split ?? { computeMs: 0, transferMs: 0, aggregateMs: 0 },
  };
}
