import { taskTypeNamed, type TaskStatus } from '@muster/shared';

/** Of a task that nobody has begun. */
export function freshStatus(taskId: string, task: string, spec: unknown): TaskStatus {
  const count = task === 'echo' ? (spec as { count: number }).count : 0;
  const { shape, dtype } = taskTypeNamed(task).describe(taskTypeNamed(task).parseSpec(spec));
  return {
    taskId,
    state: 'waiting',
    task,
    shape: [...shape],
    dtype,
    nodes: [],
    wallMs: 12,
    gflops: 3,
    tiles: count,
    acceptedTiles: 0,
    verifiedTiles: 0,
    rejectedTiles: 0,
    retries: 0,
    bytesSent: 0,
    bytesReceived: 0,
    verifyMs: 0,
    forecastMs: 0,
    forecast: [],
    advice: '',
    latencyMs: { p50: 1, p99: 2 },
    durability: 'local',
    training: null,
    error: null,
  };
}
