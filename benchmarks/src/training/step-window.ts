/** Some steps out of the middle of a run, as the head tells of them. */
import { fromWireError, MusterError, type StepSplit, type TaskStatus } from '@muster/shared';
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
  /** Shards of the whole run that were found wrong. */
  readonly disputed: number;
}

export interface Look {
  readonly status: TaskStatus;
  readonly atMs: number;
}

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

/** Looks again when half of the way can be done, so that few looks are taken. Rejects with the error of a run that fails before. */
async function stepReached(client: ClusterClient, taskId: string, { step, signal }: Reaching): Promise<Look> {
  let before: Look | null = null;
  for (;;) {
    const status = await client.task(taskId);
    if (status.error !== null) throw fromWireError(status.error);
    if (status.state === 'done') throw new MusterError('BUG', `the run ended before step ${step} was looked at`);
    const look = { status, atMs: performance.now() };
    if (stepOf(look) >= step) return look;
    await setTimeout(halfWayMs(before, look, step), undefined, { signal });
    before ??= look;
  }
}

const LOOK_MS_MIN = 5;

function halfWayMs(before: Look | null, now: Look, step: number): number {
  if (before === null || stepOf(now) === stepOf(before)) return LOOK_MS_MIN;
  const stepMs = (now.atMs - before.atMs) / (stepOf(now) - stepOf(before));
  return Math.max(LOOK_MS_MIN, ((step - stepOf(now)) * stepMs) / 2);
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
    disputed: last.status.training?.disputed ?? 0,
  };
}
