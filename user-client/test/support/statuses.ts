import type { NodeShare, TaskStatus } from '@muster/shared';
import { freshStatus } from './fresh-status.ts';

export const nodeShare = (facts: Partial<NodeShare> = {}): NodeShare => ({
  id: 'aaaaaaaaaaaaaaaa',
  name: 'rtx-box',
  device: 'cuda',
  subtasks: 24,
  running: 1,
  gflops: 1610,
  computeMs: 100,
  fetchMs: 10,
  state: 'busy',
  ...facts,
});

/** 41 of 64 tiles of a product, two nodes. */
export const taskStatus = (facts: Partial<TaskStatus> = {}): TaskStatus => ({
  ...freshStatus('0123456789abcdef', 'matrix_mult', { m: 8192, k: 8192, n: 8192, dtype: 'float32', grid: 'auto' }),
  state: 'running',
  tiles: 64,
  acceptedTiles: 41,
  verifiedTiles: 41,
  gflops: 1900,
  wallMs: 7000,
  nodes: [
    nodeShare(),
    nodeShare({ name: 'thinkpad', device: 'cpu', subtasks: 4, running: 0, gflops: 30, state: 'lost' }),
  ],
  ...facts,
});
