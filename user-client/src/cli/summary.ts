/** What is printed when a task is over. */
import { formatBytes, formatDuration, type TaskStatus, plural } from '@muster/shared';
import { formatRate, titleOf, unitOf } from './figures.ts';
import { nodeRows } from './progress-lines.ts';
import { jsonTraining, trainingSummary } from './training-summary.ts';

export interface Outcome {
  readonly status: TaskStatus;
  /** From the submission until the result was in place; null for a task that another command submitted. */
  readonly elapsedMs: number | null;
  readonly out?: string | undefined;
  /** The ONNX file of a trained model. */
  readonly onnx?: string | undefined;
}

export function summaryLines(outcome: Outcome): string[] {
  const { status, elapsedMs, out } = outcome;
  if (status.training !== null) return trainingSummary(outcome, status.training);
  const whole = elapsedMs === null ? '' : ` (with operands and result ${formatDuration(elapsedMs)})`;
  const rate = status.gflops > 0 ? `, ${formatRate(status.gflops, status.dtype)}` : '';
  const lines = [
    `${titleOf(status)}: ${status.state} in ${formatDuration(status.wallMs)}${rate}${whole}`,
    ...nodeRows(status.nodes, status).map((row) => `  ${row}`),
    `  ${checkLine(status)}`,
    `  moved: ${formatBytes(status.bytesSent)} to nodes, ${formatBytes(status.bytesReceived)} from nodes`,
  ];
  if (status.forecastMs > 0)
    lines.push(`  forecast: ${formatDuration(status.forecastMs)}, took ${formatDuration(status.wallMs)}`);
  if (status.task === 'echo') lines.push(`  ${latencyLine(status)}`);
  return [...lines, `  ${whereLine(status, out)}`];
}

function checkLine(status: TaskStatus): string {
  const { acceptedTiles, verifiedTiles, rejectedTiles, retries } = status;
  const again = retries > 0 ? `, ${plural(retries, 'lease')} given again` : '';
  // Of an inference result only the length can be checked.
  if (status.task === 'infer') return `${plural(acceptedTiles, unitOf(status))} done${again}`;
  return `verification: ${plural(verifiedTiles, unitOf(status))} checked, ${rejectedTiles} rejected${again}`;
}

const latencyLine = ({ latencyMs, acceptedTiles, wallMs }: TaskStatus): string =>
  `latency: p50 ${formatDuration(latencyMs.p50)}, p99 ${formatDuration(latencyMs.p99)}; ${Math.round(acceptedTiles / Math.max(wallMs / 1000, 1e-6))} subtasks/s`;

function whereLine({ taskId, task }: TaskStatus, out: string | undefined): string {
  if (out !== undefined) return `result: ${out}   next: python3 -c "import numpy; print(numpy.load('${out}'))"`;
  if (task === 'echo') return `next: user-client tasks show ${taskId}`;
  const name = task === 'infer' ? 'Y.npy' : 'C.npy';
  return `result: on the head   next: user-client tasks result ${taskId} --out ${name}`;
}

/** The JSON object that `--json` prints for a task that is done. */
export function jsonOutcome(outcome: Outcome): Record<string, unknown> {
  const { status, elapsedMs, out } = outcome;
  if (status.training !== null) return jsonTraining(outcome, status.training);
  const { taskId, state, task, shape, dtype, wallMs, gflops, tiles, verifiedTiles, rejectedTiles, retries } = status;
  const { bytesSent, bytesReceived, verifyMs, forecastMs, advice, latencyMs, durability } = status;
  const nodes = status.nodes.map(({ id, name, device, subtasks, gflops: rate, computeMs, fetchMs }) => ({
    id,
    name,
    device,
    subtasks,
    gflops: rate,
    computeMs,
    fetchMs,
  }));
  const counts = { tiles, verifiedTiles, rejectedTiles, retries, bytesSent, bytesReceived };
  const times = { wallMs, verifyMs, forecastMs, latencyMs, ...(elapsedMs === null ? {} : { elapsedMs }) };
  return {
    taskId,
    state,
    task,
    shape,
    dtype,
    nodes,
    gflops,
    ...counts,
    ...times,
    advice,
    durability,
    ...(out === undefined ? {} : { out }),
  };
}
