import { expect, test } from '@jest/globals';
import { jsonOutcome, summaryLines } from '../../src/cli/summary.ts';
import { taskStatus } from '../support/statuses.ts';

const done = taskStatus({
  state: 'done',
  acceptedTiles: 64,
  verifiedTiles: 64,
  retries: 1,
  bytesSent: 2 ** 20,
  forecastMs: 6500,
});

test('a summary tells rate, nodes, verification, place and next step', () => {
  expect(summaryLines({ status: done, elapsedMs: 7500, out: undefined })).toEqual([
    'matrix_mult 8192 x 8192 x 8192 float32: done in 7.0 s, 1.90 TFLOP/s (with operands and result 7.5 s)',
    '  rtx-box   cuda  24 done  1 running  1.61 TFLOP/s',
    '  thinkpad  cpu    4 done             30.0 GFLOP/s  lost',
    '  verification: 64 tiles checked, 0 rejected, 1 lease given again',
    '  moved: 1.0 MiB to nodes, 0 B from nodes',
    '  forecast: 6.5 s, took 7.0 s',
    '  result: on the head   next: user-client tasks result 0123456789abcdef --out C.npy',
  ]);
});

test('a result in a file, and a task of another command', () => {
  const lines = summaryLines({ status: done, elapsedMs: null, out: 'C.npy' });
  expect(lines[0]).toBe('matrix_mult 8192 x 8192 x 8192 float32: done in 7.0 s, 1.90 TFLOP/s');
  expect(lines.at(-1)).toMatch(/^ {2}result: C.npy {3}next: /);
});

test('an echo tells its latency and rate', () => {
  const echo = taskStatus({ task: 'echo', shape: [64], dtype: '', state: 'done', acceptedTiles: 64, wallMs: 100 });
  expect(summaryLines({ status: echo, elapsedMs: 120, out: undefined })).toContain(
    '  latency: p50 1.0 ms, p99 2.0 ms; 640 subtasks/s',
  );
});

test('the JSON object', () => {
  const object = jsonOutcome({ status: done, elapsedMs: 7500, out: 'C.npy' });
  expect(Object.keys(object).toSorted()).toEqual([
    'advice',
    'bytesReceived',
    'bytesSent',
    'dtype',
    'durability',
    'elapsedMs',
    'forecastMs',
    'gflops',
    'latencyMs',
    'nodes',
    'out',
    'rejectedTiles',
    'retries',
    'shape',
    'state',
    'task',
    'taskId',
    'tiles',
    'verifiedTiles',
    'verifyMs',
    'wallMs',
  ]);
  expect(object['nodes']).toMatchObject([
    { id: 'aaaaaaaaaaaaaaaa', name: 'rtx-box', device: 'cuda', subtasks: 24, gflops: 1610 },
    {},
  ]);
});
