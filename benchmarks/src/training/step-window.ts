/** Some steps from the middle of a run, measured by the head's status. */
import { fromWireError, MusterError, type StepSplit, type TaskStatus } from '@muster/shared';
import type { ClusterClient } from '@muster/user-client';
import { setTimeout } from 'node:timers/promises';

export interface WindowOptions {
  /** Steps before the window, in which sessions are opened and the first shard of each node is audited. */
  readonly warmUp: number;
  readonly steps: number;
  /**
   * Lower bound for the time of a step, in ms: the run is left alone for `steps` times as long, because each query costs time of the
   * head.
   */
  readonly stepMs: number;
  readonly signal: AbortSignal;
  /** Called when the window opens and when it closes. */
  readonly onEdge?: () => void;
}

/** What happened between two queries of a run. */
export interface StepWindow {
  readonly steps: number;
  readonly ms: number;
  /** Sum over all nodes. */
  readonly computeMs: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Times of a step at the end of the window, see TrainingReport. */
  readonly split: StepSplit;
  /** Shards found wrong in the whole run. */
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

/**
 * Queries again when half of the remaining steps can be done, so that few queries are needed. Rejects with the error of a run that fails
 * before.
 */
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
