import { describe, expect, test } from '@jest/globals';
import picocolors from 'picocolors';
import { etaMs, formatElapsed, formatRate } from '../../src/cli/figures.ts';
import { forecastLine, liveLines, plainLine, waitingLine } from '../../src/cli/progress-lines.ts';
import { nodeShare, taskStatus } from '../support/statuses.ts';

const screen = { columns: 80, colors: picocolors.createColors(false) };
const moment = { elapsedMs: 7000, waiting: null, silentMs: 0 };

describe('figures', () => {
  test.each([
    [0, 'float32', '0.00 GFLOP/s'],
    [0.5, 'float32', '500 MFLOP/s'],
    [90.26, 'float64', '90.3 GFLOP/s'],
    [1900, 'float32', '1.90 TFLOP/s'],
    [833, 'int8', '833 GOP/s'],
  ])('rate %d of %s', (gflops, dtype, text) => {
    expect(formatRate(gflops, dtype)).toBe(text);
  });

  test.each([
    [999, '00:00'],
    [67_000, '01:07'],
    [3_605_000, '1:00:05'],
  ])('elapsed %d', (ms, text) => {
    expect(formatElapsed(ms)).toBe(text);
  });

  test('no ETA before 5 % and after the end', () => {
    expect(etaMs(taskStatus({ tiles: 100, acceptedTiles: 4 }), 1000)).toBeNull();
    expect(etaMs(taskStatus({ tiles: 100, acceptedTiles: 5 }), 1000)).toBe(19_000);
    expect(etaMs(taskStatus({ tiles: 100, acceptedTiles: 100 }), 1000)).toBeNull();
    expect(etaMs(taskStatus({ tiles: 0, acceptedTiles: 0 }), 1000)).toBeNull();
  });
});

describe('plainLine', () => {
  test('a running task', () => {
    expect(plainLine(taskStatus(), moment)).toBe('running: 41/64 tiles, 64 %, 1.90 TFLOP/s, 00:07, eta 00:03');
  });

  test('100 % only when all of it is done', () => {
    expect(plainLine(taskStatus({ tiles: 1000, acceptedTiles: 999 }), moment)).toContain('99 %');
  });

  test('an echo has subtasks and no rate', () => {
    const echo = taskStatus({ task: 'echo', shape: [64], dtype: '', gflops: 0 });
    expect(plainLine(echo, moment)).toBe('running: 41/64 subtasks, 64 %, 00:07, eta 00:03');
  });

  test('waiting for nodes', () => {
    const waiting = { ready: 2, wanted: 4, leftMs: 24_300 };
    expect(plainLine(taskStatus({ state: 'waiting' }), { elapsedMs: 5700, waiting, silentMs: 0 })).toBe(
      waitingLine(waiting),
    );
    expect(waitingLine(waiting)).toBe('waiting for nodes: 2 of 4 ready (25 s left)');
    expect(waitingLine({ ...waiting, leftMs: -3 })).toContain('(0 s left)');
  });
});

test('a head that is not heard is said, and since when', () => {
  const silent = { ...moment, silentMs: 12_000 };
  expect(plainLine(taskStatus(), silent)).toMatch(/^the head does not answer; trying on/);
  expect(liveLines(taskStatus(), silent, { ...screen, columns: 120 })[2]).toMatch(/^the head does not answer.*00:12$/);
  expect(liveLines(taskStatus(), { ...moment, silentMs: 900 }, screen).join()).not.toContain('does not answer');
});

describe('liveLines', () => {
  test('a title, a bar and a row per node', () => {
    expect(liveLines(taskStatus(), moment, screen)).toEqual([
      'matrix_mult 8192 x 8192 x 8192 float32',
      '############--------   64 %  41/64 tiles  00:07  eta 00:03  1.90 TFLOP/s',
      '  rtx-box   cuda  24 done  1 running  1.61 TFLOP/s',
      '  thinkpad  cpu    4 done             30.0 GFLOP/s  lost',
    ]);
  });

  test('no row is wider than the terminal, and no more rows than fit', () => {
    const nodes = Array.from({ length: 40 }, () => nodeShare({ name: 'a-machine-with-a-name-that-is-long-enough' }));
    const lines = liveLines(taskStatus({ nodes }), moment, { ...screen, columns: 40 });
    expect(Math.max(...lines.slice(2).map((line) => line.length))).toBeLessThan(40);
    expect(lines.at(-1)).toBe('  and 24 more nodes');
  });

  test('colours only when wanted', () => {
    const coloured = liveLines(taskStatus(), moment, { columns: 80, colors: picocolors.createColors(true) });
    expect(coloured.join('')).toContain('\u001B[31m');
    expect(liveLines(taskStatus(), moment, screen).join('')).not.toContain('\u001B');
  });
});

test('forecastLine', () => {
  const forecast = [
    { nodes: 2, ms: 9 },
    { nodes: 1, ms: 12 },
  ];
  expect(forecastLine(taskStatus({ forecast }))).toBe('forecast: 2 nodes 9.0 ms, 1 node 12 ms');
  expect(forecastLine(taskStatus())).toBeNull();
});
