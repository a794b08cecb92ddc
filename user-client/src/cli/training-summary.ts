/** Summary of a finished training run, for people and as JSON. */
import { formatBytes, formatDuration, type TrainingReport, plural } from '@muster/shared';
import { titleOf } from './figures.ts';
import { nodeRows } from './progress-lines.ts';
import type { Outcome } from './summary.ts';
import { formatLoss, formatShare, formatSpeed, linkAdvice, splitLine } from './training-lines.ts';

export function trainingSummary({ status, elapsedMs, out, onnx }: Outcome, report: TrainingReport): string[] {
  const whole = elapsedMs === null ? '' : ` (with samples and result ${formatDuration(elapsedMs)})`;
  const done = `${plural(report.step, 'step')}, ${plural(report.epochs, 'epoch')}`;
  const split = splitLine(report);
  const advice = linkAdvice(report);
  return [
    `${titleOf(status)}: ${status.state} in ${formatDuration(status.wallMs)}, ${done}, ${formatSpeed(report.samplesPerSecond)}${whole}`,
    `  ${qualityLine(report)}`,
    ...nodeRows(status.nodes, status).map((row) => `  ${row}`),
    ...(split === null ? [] : [`  ${split}`]),
    `  ${checksLine(report, status.retries)}`,
    `  moved: ${formatBytes(status.bytesSent)} to nodes, ${formatBytes(status.bytesReceived)} from nodes`,
    ...(advice === null ? [] : [`  ${advice}`]),
    ...(report.weightsSha256 === '' ? [] : [`  weights: sha256 ${report.weightsSha256}`]),
    ...placeLines(status.taskId, { out, onnx }).map((line) => `  ${line}`),
  ];
}

function qualityLine({ loss, trainAccuracy, testAccuracy, testLoss }: TrainingReport): string {
  return [
    ...(loss === null ? [] : [`loss ${formatLoss(loss)}`]),
    ...(trainAccuracy === null ? [] : [`train accuracy ${formatShare(trainAccuracy)}`]),
    ...(testLoss === null ? [] : [`test loss ${formatLoss(testLoss)}`]),
    ...(testAccuracy === null ? [] : [`test accuracy ${formatShare(testAccuracy)}`]),
  ].join(', ');
}

function checksLine({ audited, disputed, late }: TrainingReport, retries: number): string {
  const again = retries > 0 ? `, ${plural(retries, 'shard')} given again` : '';
  return `verification: ${plural(audited, 'shard')} computed again, ${disputed} wrong, ${late} late${again}`;
}

function placeLines(taskId: string, { out, onnx }: Pick<Outcome, 'out' | 'onnx'>): string[] {
  if (out === undefined && onnx === undefined)
    return [`result: on the head   next: user-client tasks result ${taskId} --out MODEL.safetensors`];
  return [
    ...(out === undefined ? [] : [`weights: ${out}`]),
    ...(onnx === undefined
      ? []
      : [`model: ${onnx}   next: user-client --task infer --model ${onnx} --input X.npy --out Y.npy`]),
  ];
}

/** The JSON object that `--json` prints for a training run. */
export function jsonTraining(
  { status, elapsedMs, out, onnx }: Outcome,
  report: TrainingReport,
): Record<string, unknown> {
  const { taskId, state, task, wallMs, retries, bytesSent, bytesReceived, durability } = status;
  const { step: steps, epochs, loss, trainAccuracy, testAccuracy, testLoss, samplesPerSecond } = report;
  const { weightsSha256, late, audited, disputed, split } = report;
  const nodes = status.nodes.map(({ id, name, device, subtasks, gflops, computeMs, fetchMs }) => ({
    id,
    name,
    device,
    shards: subtasks,
    gflops,
    computeMs,
    fetchMs,
  }));
  return {
    taskId,
    state,
    task,
    steps,
    epochs,
    loss,
    trainAccuracy,
    testAccuracy,
    testLoss,
    samplesPerSecond,
    wallMs,
    weightsSha256,
    nodes,
    retries,
    bytesSent,
    bytesReceived,
    late,
    audited,
    disputed,
    split,
    durability,
    ...(elapsedMs === null ? {} : { elapsedMs }),
    ...(out === undefined ? {} : { out }),
    ...(onnx === undefined ? {} : { onnx }),
  };
}
