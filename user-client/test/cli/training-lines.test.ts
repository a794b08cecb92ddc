import { describe, expect, test } from '@jest/globals';
import { forwardFlops } from '@muster/shared';
import picocolors from 'picocolors';
import { LossCurve } from '../../src/cli/loss-curve.ts';
import { liveLines, plainLine } from '../../src/cli/progress-lines.ts';
import { jsonOutcome, summaryLines } from '../../src/cli/summary.ts';
import { formatShare, linkAdvice, splitLine } from '../../src/cli/training-lines.ts';
import { planLines, planStep } from '../../src/cli/training-plan.ts';
import { nodeShare, taskStatus } from '../support/statuses.ts';
import { tinySpec, trainingReport } from '../support/training.ts';

const running = taskStatus({ task: 'train', shape: [1, 28, 28], training: trainingReport() });
const moment = { elapsedMs: 7000, waiting: null, silentMs: 0, curve: '█▄▁' };
const screen = { columns: 100, colors: picocolors.createColors(false) };

describe('progress of a training run', () => {
  test('as a line', () => {
    expect(plainLine(running, moment)).toBe(
      'running: step 235/470, epoch 3/5, loss 0.1234, train 97.1 %, test 96.5 %, 11,800 samples/s, 00:07, eta 00:09; ' +
        'a step takes 40 ms: compute 75 %, transfer 20 %, aggregate 5 %',
    );
  });

  test('as a picture: bar of steps, figures with the curve, split, a row per node', () => {
    expect(liveLines(running, moment, screen)).toEqual([
      'train 1 x 28 x 28 float32',
      '##########----------   50 %  step 235/470  epoch 3/5  00:07  eta 00:09',
      'loss 0.1234  train 97.1 %  test 96.5 %  11,800 samples/s  █▄▁',
      'a step takes 40 ms: compute 75 %, transfer 20 %, aggregate 5 %',
      '  rtx-box   cuda  24 done  1 running  1.61 TFLOP/s',
      '  thinkpad  cpu    4 done             30.0 GFLOP/s  lost',
    ]);
  });

  test('of a regression: the loss of the test set in the place of accuracies', () => {
    const training = trainingReport({ trainAccuracy: null, testAccuracy: null });
    expect(plainLine({ ...running, training }, moment)).toContain('loss 0.1234, test loss 0.2000, 11,800 samples/s');
  });

  test('before the first step', () => {
    const split = { computeMs: 0, transferMs: 0, aggregateMs: 0 };
    const facts = { step: 0, epoch: 0, loss: null, trainAccuracy: null, testAccuracy: null, testLoss: null };
    const training = trainingReport({ ...facts, samplesPerSecond: 0, split });
    expect(plainLine({ ...running, training }, moment)).toBe('running: step 0/470, epoch 1/5, 00:07');
    expect(splitLine(training)).toBeNull();
  });

  test('shares are never rounded up to all of it', () => {
    expect([0.9996, 1, 0.5, 0.987].map(formatShare)).toEqual(['99.9 %', '100.0 %', '50.0 %', '98.7 %']);
  });

  test('advice when the link is slower than the nodes, and not before it is known', () => {
    const split = { computeMs: 5, transferMs: 20, aggregateMs: 1 };
    expect(linkAdvice(trainingReport({ split }))).toContain(
      '4.0 times as long on the link as they compute; a --batch 4 times',
    );
    expect(linkAdvice(trainingReport({ split, step: 3 }))).toBeNull();
    expect(linkAdvice(trainingReport({ split: { ...split, computeMs: 0 } }))).toBeNull();
    expect(linkAdvice(trainingReport())).toBeNull();
  });
});

describe('LossCurve', () => {
  const curveOf = (losses: readonly number[]): LossCurve => {
    const curve = new LossCurve();
    losses.forEach((loss, step) => curve.add(step, loss));
    return curve;
  };

  test('high is full, low is empty', () => {
    expect(curveOf([8, 4, 1]).sparkline(10)).toBe('█▄▁');
    expect(curveOf([3]).sparkline(10)).toBe('');
    expect(curveOf([3, 3]).sparkline(10)).toBe('▁▁');
  });

  test('no wider than asked for, and it keeps the beginning of a long run', () => {
    const curve = curveOf(Array.from({ length: 5000 }, (_, step) => 5000 - step));
    const line = curve.sparkline(12);
    expect(line).toHaveLength(12);
    expect([line[0], line.at(-1)]).toEqual(['█', '▁']);
  });

  test('a step that is done again replaces what came after it', () => {
    const curve = curveOf([8, 1, 1, 1]);
    curve.add(1, 8);
    expect(curve.sparkline(10)).toBe('▁▁');
  });
});

describe('the end of a training run', () => {
  const training = trainingReport({ step: 470, weightsSha256: 'abc' });
  const done = taskStatus({ ...running, state: 'done', training, retries: 2, nodes: [nodeShare()] });

  test('for people', () => {
    expect(summaryLines({ status: done, elapsedMs: 7500, out: undefined })).toEqual([
      'train 1 x 28 x 28 float32: done in 7.0 s, 470 steps, 5 epochs, 11,800 samples/s (with samples and result 7.5 s)',
      '  loss 0.1234, train accuracy 97.1 %, test loss 0.2000, test accuracy 96.5 %',
      '  rtx-box  cuda  24 done  1 running  1.61 TFLOP/s',
      '  a step takes 40 ms: compute 75 %, transfer 20 %, aggregate 5 %',
      '  verification: 12 shards computed again, 0 wrong, 1 late, 2 shards given again',
      '  moved: 0 B to nodes, 0 B from nodes',
      '  weights: sha256 abc',
      '  result: on the head   next: user-client tasks result 0123456789abcdef --out MODEL.safetensors',
    ]);
    const lines = summaryLines({ status: done, elapsedMs: null, out: 'M.safetensors', onnx: 'M.onnx' });
    expect(lines.slice(-2)).toEqual([
      '  weights: M.safetensors',
      '  model: M.onnx   next: user-client --task infer --model M.onnx --input X.npy --out Y.npy',
    ]);
  });

  test('for programs', () => {
    const object = jsonOutcome({ status: done, elapsedMs: 7500, out: 'M.safetensors' });
    expect(object).toMatchObject({
      taskId: '0123456789abcdef',
      state: 'done',
      task: 'train',
      steps: 470,
      epochs: 5,
      loss: 0.1234,
      trainAccuracy: 0.971,
      testAccuracy: 0.9655,
      samplesPerSecond: 11_800,
      wallMs: 7000,
      retries: 2,
      weightsSha256: 'abc',
      late: 1,
      audited: 12,
      disputed: 0,
      bytesSent: 0,
      bytesReceived: 0,
      split: { computeMs: 30, transferMs: 8, aggregateMs: 2 },
      nodes: [{ id: 'aaaaaaaaaaaaaaaa', name: 'rtx-box', device: 'cuda', shards: 24 }],
      out: 'M.safetensors',
    });
  });
});

describe('the plan of a run', () => {
  const node = (float32: number, sharesStore: boolean, label = 'Ryzen'): Parameters<typeof planStep>[1][number] => ({
    state: 'ready',
    device: 'cpu',
    label,
    gflops: { float32, float64: 1, int8: 1 },
    sharesStore,
    linkBytesPerMs: 0,
  });

  test('bytes and times of a step', () => {
    const plan = planStep(tinySpec({ batch: 100 }), [node(1, false), node(3, false), node(2, true)], 2);
    expect(plan).toMatchObject({ parameters: 7850, nodes: 2, downBytes: 31_400, upBytes: 31_400 });
    // Forward and twice as much backward, at 5 GFLOP/s; one node is behind the link.
    expect(plan.computeMs).toBeCloseTo((3 * forwardFlops(tinySpec().model) * 100) / 5e6, 6);
    expect(plan.transferMs).toBeCloseTo(62_800 / 118_000, 6);
  });

  test('each node counts with the link that it has measured', () => {
    const [slow, fast] = [
      { ...node(1, false), linkBytesPerMs: 6280 },
      { ...node(1, false), linkBytesPerMs: 628_000 },
    ];
    const plan = planStep(tinySpec({ batch: 100 }), [slow, fast, node(9, true)], 3);
    expect(plan).toMatchObject({ slowestBytesPerMs: 6280 });
    expect(plan.transferMs).toBeCloseTo(10.1, 6);
    const [, advice] = planLines(tinySpec({ batch: 100 }), [slow], 1);
    expect(advice).toMatch(/^advice: over links of 6.3 MB\/s that takes 10 ms for 1 node, /);
  });

  test.each([
    ['bf16', 15_700],
    ['int8', 7850],
    ['topk:1%', 628],
  ])('%s sends less back', (compression, upBytes) => {
    expect(planStep(tinySpec({ batch: 100, compression }), [node(1, false)], 1).upBytes).toBeCloseTo(upBytes, 6);
  });

  test('names what would be enough when the link sets the pace, and what it would have to be', () => {
    const adviceFor = (gflops: number, options: object = {}): string | undefined =>
      planLines(tinySpec({ batch: 100, epochs: 2, ...options }), [node(gflops, false), node(gflops, false)], 2)[1];
    const [line] = planLines(tinySpec({ batch: 100, epochs: 2 }), [node(1, true)], 1);
    expect(line).toBe(
      'plan: 7,850 parameters, 6 steps; for a step of 100 samples 30.7 KiB go to each node and 30.7 KiB come back',
    );
    // 1.06 ms on the link; the computation is 1.3, 2 and 432 times shorter.
    expect(adviceFor(2.9)).toMatch(
      /over links of 118 MB\/s and more that .*: --compress bf16, --batch 200 or --local-steps 2 would be enough$/,
    );
    expect(adviceFor(4.4)).toMatch(/: --batch 200 or --local-steps 2 would be enough$/);
    expect(adviceFor(1000)).toMatch(/: --local-steps 432 would be enough$/);
    expect(adviceFor(1000, { localSteps: 4 })).toMatch(/: --local-steps 432 would be enough$/);
    expect(adviceFor(1000, { deterministic: true })).toMatch(/: fewer nodes are faster$/);
    expect(adviceFor(1)).toBeUndefined();
  });

  test('warns where one node is a majority', () => {
    const two = [node(1, true), node(1, true)];
    const lines = (aggregator: string): string[] => planLines(tinySpec({ batch: 100, aggregator }), two, 2).slice(1);
    expect(lines('mean')).toEqual([]);
    expect(lines('median')).toEqual(['warning: of fewer than 3 nodes one that lies decides the median; there are 2']);
    expect(lines('trimmed-mean')).toEqual([
      'warning: of fewer than 4 nodes one that lies decides the trimmed-mean; there are 2',
    ]);
  });

  test('warns where deterministic training has nodes that are not alike', () => {
    const unlike = [node(1, true), node(1, true, 'Xeon')];
    const lines = (deterministic: boolean): string[] =>
      planLines(tinySpec({ batch: 100, deterministic }), unlike, 2).slice(1);
    expect(lines(false)).toEqual([]);
    expect(lines(true)).toEqual([
      'warning: weights are the same only on nodes that compute alike, and these are cpu (Ryzen), cpu (Xeon)',
    ]);
  });
});
