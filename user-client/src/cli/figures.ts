import type { TaskStatus } from '@muster/shared';

const SCALE = ['', 'k', 'M', 'G', 'T', 'P'];

/** 1900 GFLOP/s as '1.90 TFLOP/s'; integer products count operations: 'TOP/s'. */
export function formatRate(gflops: number, dtype: string): string {
  let [value, step] = [gflops, 3];
  while (value >= 1000 && step < SCALE.length - 1) [value, step] = [value / 1000, step + 1];
  while (value > 0 && value < 1 && step > 0) [value, step] = [value * 1000, step - 1];
  return `${value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)} ${SCALE[step]}${dtype === 'int8' ? 'OP' : 'FLOP'}/s`;
}

/** 118,000 bytes per ms as '118 MB/s', in decimal units as links are sold. */
export const formatLink = (bytesPerMs: number): string =>
  `${(bytesPerMs / 1000).toFixed(bytesPerMs < 10_000 ? 1 : 0)} MB/s`;

const two = (value: number): string => String(value).padStart(2, '0');

/** 67,000 ms as '01:07', 3,605,000 ms as '1:00:05'. */
export function formatElapsed(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const clock = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return seconds < 3600 ? clock : `${Math.floor(seconds / 3600)}:${clock}`;
}

/** Below this share an estimate would be too uncertain. */
const ETA_FROM = 0.05;

/** Milliseconds until the task is done, from its rate so far; null when it is too early to say. */
export function etaMs({ tiles, acceptedTiles }: TaskStatus, elapsedMs: number): number | null {
  const share = tiles === 0 ? 0 : acceptedTiles / tiles;
  return share < ETA_FROM || share >= 1 ? null : (elapsedMs * (1 - share)) / share;
}

/** 0 to 1. For a training run by its steps: the number of its shards is not known beforehand. */
export function shareDone({ tiles, acceptedTiles, training }: TaskStatus): number {
  if (training !== null) return training.steps === 0 ? 0 : training.step / training.steps;
  return tiles === 0 ? 0 : acceptedTiles / tiles;
}

/** 'matrix_mult 8192 x 8192 x 8192 float32' (m x k x n), 'echo 10000'. */
export const titleOf = ({ task, shape, dtype }: Pick<TaskStatus, 'task' | 'shape' | 'dtype'>): string =>
  [task, shape.join(' x '), dtype].filter((part) => part !== '').join(' ');

const UNITS: Readonly<Record<string, string>> = { echo: 'subtask', train: 'shard', infer: 'block' };

/** What a subtask of this task is called. */
export const unitOf = ({ task }: Pick<TaskStatus, 'task'>): string => UNITS[task] ?? 'tile';
