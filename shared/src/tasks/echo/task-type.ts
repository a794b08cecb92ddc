import { limits } from '../../protocol/limits.ts';
import type { NodeFacts, TaskPlan, TaskType } from '../task-type.ts';
import { echoPayload } from './payload.ts';
import { parseEchoSpec, type EchoSpec } from './spec.ts';

/** Work of a lease; the bytes to send back follow it as a raw frame. */
export interface EchoWork {
  /** Size of each subtask. */
  readonly bytes: number;
}

/** `count` trips to a provider and back, without arithmetic. */
export const echo: TaskType<EchoSpec> = {
  name: 'echo',
  runs: 'inline',
  parseSpec: parseEchoSpec,
  operands: () => [],
  plan: planEcho,
  needs: () => [],
  rounds: null,
  work: ({ bytes }): EchoWork => ({ bytes }),
  readWork: (work) => ({ work, blocks: [] }),
  payload: echoPayload,
  window: ({ window }) => window ?? null,
  blockBytes: () => 0,
  resultBytes: () => 0,
  keptBytes: () => 0,
  flops: () => 0,
  region: () => [],
  describe: ({ count }) => ({ shape: [count], dtype: '' }),
};

/** Nothing is cut and nothing predicted: a subtask is its index, and any node will do. */
function planEcho({ count, bytes, batch }: EchoSpec, nodes: readonly NodeFacts[]): TaskPlan {
  const fits = Math.max(1, Math.floor(limits.chunkBytesMax.value / bytes));
  const perLease = Math.min(batch, fits, count);
  return { subtasks: count, batch: perLease, homes: [], nodes: nodes.length, forecast: [], advice: '', layout: null };
}
