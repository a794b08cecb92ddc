import { describe, expect, test } from '@jest/globals';
import { resultFileName, type Machine } from '../src/machine.ts';
import { dispatchChart, dispatchTable, matmulChart, matmulTable } from '../src/report.ts';
import type { DispatchRow } from '../src/scenarios/dispatch.ts';
import { sharesOf, type MatmulRow } from '../src/scenarios/matmul.ts';
import { wellFormed } from './xml.ts';

const machine: Machine = {
  cpu: 'Intel(R) Core(TM) i7-9700 CPU @ 3.00GHz',
  cores: 8,
  memoryBytes: 16 * 2 ** 30,
  node: 'v20.0.0',
  os: 'Linux 6.1 x64',
  date: '2026-03-01T10:00:00.000Z',
};

const product: MatmulRow = {
  n: 2048,
  providers: 2,
  operands: 'resident',
  repetitions: 5,
  ms: 50,
  bestMs: 48.25,
  inProcessMs: 95,
  inProcessBestMs: 90,
  speedup: 1.9,
  gflops: 343.6,
  share: { compute: 0.9, transfer: 0.05, verify: 0.125, idle: 0.05 },
  forecastMs: 49,
  plainJsMs: 8000,
  plainJsRows: 48,
};
const report = {
  machine,
  blocks: 'auto',
  rows: [product, { ...product, n: 512, operands: 'sent', speedup: 0.4, plainJsRows: 512 }],
} as const;

const echo: DispatchRow = {
  mode: 'batched',
  providers: 2,
  count: 300_000,
  subtasksPerSecond: 123_456.7,
  p50Ms: 1.234,
  p99Ms: 5,
};
const submission: DispatchRow = {
  mode: 'submit to accept',
  providers: 2,
  count: 200,
  subtasksPerSecond: null,
  p50Ms: 0.5,
  p99Ms: 4,
};

describe('matmul', () => {
  test('one line for each row, in aligned columns', () => {
    const lines = matmulTable(report).split('\n');
    expect(lines[0]).toBe(
      'Intel(R) Core(TM) i7-9700 CPU @ 3.00GHz, 8 cores, 16.0 GiB, node v20.0.0, Linux 6.1 x64, 2026-03-01T10:00:00.000Z; operands through shared files',
    );
    expect(lines[1]?.trim().split(/ {2,}/)).toEqual([
      'n',
      'providers',
      'operands',
      'ms',
      'best',
      'in process',
      'speedup',
      'GFLOP/s',
      'compute',
      'transfer',
      'idle',
      'verify',
      'plain JS',
    ]);
    expect(lines[2]?.trim().split(/ {2,}/)).toEqual([
      '2048',
      '2',
      'resident',
      '50.0',
      '48.3',
      '95.0',
      '1.90x',
      '344',
      '90%',
      '5%',
      '5%',
      '13%',
      '~8000',
    ]);
    expect(lines[2]?.length).toBe(lines[1]?.length);
  });

  test('a plain product that was measured whole has no ~', () => {
    expect(matmulTable(report)).toMatch(/ 512 .* 8000\n/);
  });

  test('the chart groups speedups by size and leaves a gap for what was not measured', () => {
    const svg = matmulChart(report);
    expect(wellFormed(svg)).toBe('');
    expect(svg).toContain(
      'n = 2048: 2 providers, B resident 1.9, 2 providers, all sent not measured; n = 512: 2 providers, B resident not measured, 2 providers, all sent 0.4',
    );
  });

  test('says how operands moved', () => {
    expect(matmulTable({ ...report, blocks: 'wire' })).toContain('operands through sockets');
    expect(matmulChart({ ...report, blocks: 'wire' })).toContain('operands through sockets');
  });
});

describe('sharesOf', () => {
  const node = { id: '', name: '', device: '', subtasks: 1, running: 0, gflops: 1, state: 'ready' as const };

  test('are parts of what all providers could have done', () => {
    const nodes = [
      { ...node, computeMs: 60, fetchMs: 10 },
      { ...node, computeMs: 40, fetchMs: 30 },
    ];
    const { compute, transfer, idle, verify } = sharesOf({ nodes, verifyMs: 5 }, { providers: 2, ms: 100 });
    expect([compute, transfer, verify]).toEqual([0.5, 0.2, 0.05]);
    expect(idle).toBeCloseTo(0.3, 12);
  });

  test('waits that compute hides are not transfer', () => {
    const nodes = [{ ...node, computeMs: 80, fetchMs: 500 }];
    const shares = sharesOf({ nodes, verifyMs: 0 }, { providers: 1, ms: 100 });
    expect(shares.transfer).toBeCloseTo(0.2, 12);
    expect(shares.idle).toBeCloseTo(0, 12);
  });
});

describe('dispatch', () => {
  test('a rate where there is one', () => {
    const lines = dispatchTable({ machine, rows: [echo, submission] }).split('\n');
    expect(lines[2]?.trim().split(/ {2,}/)).toEqual(['batched', '2', '300000', '123,457', '1.23', '5.00']);
    expect(lines[3]?.trim().split(/ {2,}/)).toEqual(['submit to accept', '2', '200', '-', '0.50', '4.00']);
  });

  test('the chart shows rates only', () => {
    const svg = dispatchChart({
      machine,
      rows: [echo, { ...echo, mode: 'unbatched', subtasksPerSecond: 9876 }, submission],
    });
    expect(wellFormed(svg)).toBe('');
    expect(svg).toContain('<desc>batched: 2 providers 123k; unbatched: 2 providers 9.9k</desc>');
  });
});

test('a result file is named after day, processor and scenario', () => {
  expect(resultFileName(machine, 'matmul')).toBe('2026-03-01-intel-core-i7-9700-cpu-3-00ghz-matmul.json');
  expect(resultFileName({ ...machine, cpu: '???' }, 'dispatch')).toBe('2026-03-01-cpu-dispatch.json');
});
