import { describe, expect, test } from '@jest/globals';
import type { Flags } from '../../src/cli/flags.ts';
import { resolveConnection, resolveRun } from '../../src/cli/run-options.ts';

const product = { task: 'matrix_mult', size: '64' };

test('defaults', () => {
  expect(resolveRun(product)).toEqual({
    run: {
      task: 'matrix_mult',
      operands: { kind: 'random', size: 64, seed: 1, dtype: 'float32' },
      grid: 'auto',
      out: undefined,
    },
    connection: { host: '127.0.0.1', portBase: 5555, blocks: 'auto' },
    terms: { nodes: undefined, waitNodesMs: 30_000, timeoutMs: 600_000, durability: 'mirrored' },
    detach: false,
    json: false,
  });
});

test('everything said', () => {
  const flags = { task: 'matrix_mult', a: 'A.npy', b: 'B.npy', dtype: 'int8', grid: '2x3', out: 'C.npy', nodes: '4' };
  const rest = {
    head: 'box.local',
    portBase: '7000',
    blocks: 'wire',
    waitNodes: '5s',
    timeout: '2m',
    durability: 'local',
    json: true,
  };
  expect(resolveRun({ ...flags, ...rest })).toEqual({
    run: {
      task: 'matrix_mult',
      operands: { kind: 'files', a: 'A.npy', b: 'B.npy', dtype: 'int8' },
      grid: '2x3',
      out: 'C.npy',
    },
    connection: { host: 'box.local', portBase: 7000, blocks: 'wire' },
    terms: { nodes: 4, waitNodesMs: 5000, timeoutMs: 120_000, durability: 'local' },
    detach: false,
    json: true,
  });
});

test('an echo', () => {
  expect(resolveRun({ task: 'echo', count: '100', bytes: '8', batch: '4', window: '2' }).run).toEqual({
    task: 'echo',
    count: 100,
    bytes: 8,
    batch: 4,
    window: 2,
  });
});

test('a training run: only what was said, under the names of the library', () => {
  const { run, terms } = resolveRun({ task: 'train', model: 'lenet', data: 'synthetic' });
  expect(run).toEqual({
    task: 'train',
    model: 'lenet',
    data: 'synthetic',
    classes: undefined,
    options: {},
    resume: undefined,
    out: undefined,
    onnx: undefined,
  });
  expect(terms.timeoutMs).toBe(24 * 3_600_000);
});

test('everything said of a training run', () => {
  const learning = {
    epochs: '5',
    batch: '512',
    optimizer: 'nesterov',
    lr: '.05',
    momentum: '0.8',
    weightDecay: '1e-4',
  };
  const pace = { schedule: 'cosine', warmupSteps: '10', clipNorm: '1', seed: '7', checkpointEvery: '90s' };
  const exchange = { compress: 'topk:0.5%', localSteps: '32', aggregator: 'median', deterministic: true };
  const files = { resume: 'C.safetensors', out: 'M.safetensors', onnx: 'M.onnx' };
  expect(
    resolveRun({ task: 'train', data: 'D', classes: '12', ...learning, ...pace, ...exchange, ...files }).run,
  ).toEqual({
    task: 'train',
    model: undefined,
    data: 'D',
    classes: 12,
    options: {
      epochs: 5,
      batch: 512,
      optimizer: 'nesterov',
      learningRate: 0.05,
      momentum: 0.8,
      weightDecay: 0.0001,
      schedule: 'cosine',
      warmupSteps: 10,
      clipNorm: 1,
      seed: 7,
      checkpointEveryMs: 90_000,
      compression: 'topk:0.5%',
      localSteps: 32,
      aggregator: 'median',
      deterministic: true,
    },
    ...files,
  });
});

test('an inference', () => {
  const flags = {
    task: 'infer',
    model: 'M.onnx',
    input: 'X.npy',
    out: 'Y.npy',
    rowsPerBlock: '64',
    outputShape: '3,5',
  };
  const run = { task: 'infer', model: 'M.onnx', input: 'X.npy', out: 'Y.npy', rowsPerBlock: 64 };
  expect(resolveRun(flags).run).toEqual({ ...run, outputShape: [3, 5] });
  expect(resolveRun({ ...flags, outputShape: 'scalar' }).run).toEqual({ ...run, outputShape: [] });
});

const train = { task: 'train', model: 'mlp', data: 'synthetic' };

describe('what is refused, with what was seen and a way out', () => {
  test.each([
    [{}, [/no task/, /--task/, /matrix_mult/]],
    [{ task: 'matrix_mul', size: '4' }, [/--task must be/, /'matrix_mul'/, /^--task matrix_mult$/]],
    [{ task: 'matrix-mult', size: '4' }, [/--task must be/, /'matrix-mult'/, /^--task matrix_mult$/]],
    [{ task: 'matrix_mult' }, [/operands are missing/, /both operands/, /--size 1024/]],
    [{ task: 'matrix_mult', a: 'A.npy' }, [/operands are missing/, /--b/, /--a A.npy --b B.npy/]],
    [{ ...product, a: 'A.npy' }, [/exclude each other/, /--size/, /--a/]],
    [{ ...product, size: '0' }, [/--size needs a whole number/, /'0'/, /--size/]],
    [{ ...product, size: '-5' }, [/--size needs a whole number/, /'-5'/, /--size/]],
    [{ ...product, size: 'abc' }, [/--size needs a whole number/, /'abc'/, /--size/]],
    [{ ...product, size: '1e9' }, [/--size needs a whole number/, /'1e9'/, /--size/]],
    [{ ...product, size: '70000' }, [/from 1 to 65536/, /'70000'/, /--size/]],
    [{ ...product, nodes: '0' }, [/--nodes needs a whole number/, /'0'/, /--nodes/]],
    [{ ...product, nodes: '51' }, [/from 1 to 50/, /'51'/, /--nodes/]],
    [{ ...product, dtype: 'foo' }, [/--dtype must be float32, float64 or int8/, /'foo'/, /--dtype float32/]],
    [{ ...product, dtype: 'flaot64' }, [/--dtype must be/, /'flaot64'/, /--dtype float64/]],
    [{ ...product, grid: '0x2' }, [/--grid must be/, /'0x2'/, /--grid/]],
    [{ ...product, seed: '-1' }, [/--seed needs/, /'-1'/, /--seed/]],
    [{ ...product, timeout: 'soon' }, [/--timeout cannot be read/, /'soon'/, /--timeout 30s/]],
    [{ ...product, waitNodes: '5 parsecs' }, [/--wait-nodes cannot be read/, /'5 parsecs'/, /--wait-nodes 30s/]],
    [{ ...product, head: 'tcp://box' }, [/--head needs a name/, /'tcp:\/\/box'/, /--port-base/]],
    [{ ...product, head: 'box:5555' }, [/--head needs a name/, /'box:5555'/, /--port-base/]],
    [{ ...product, timeout: '0' }, [/--timeout must be more/, /'0'/, /^--timeout 10m$/]],
    [{ ...product, portBase: 'abc' }, [/--port-base needs/, /'abc'/, /^--port-base 5555$/]],
    [{ ...product, portBase: '65532' }, [/--port-base needs/, /'65532'/, /--port-base/]],
    [{ ...product, blocks: 'magic' }, [/--blocks must be auto or wire/, /'magic'/, /--blocks auto/]],
    [{ ...product, count: '5' }, [/--count does not belong to --task matrix_mult/, /no such option/, /--count/]],
    [{ ...product, detach: true, out: 'C.npy' }, [/--detach and --out/, /on the head/, /tasks result/]],
    [{ task: 'echo' }, [/--count is missing/, /number of subtasks/, /--count 10000/]],
    [{ task: 'echo', count: '5', size: '4' }, [/--size does not belong to --task echo/, /no such option/, /--size/]],
    [{ task: 'echo', count: '5', bytes: '4' }, [/--bytes needs/, /'4'/, /--bytes/]],
    [{ task: 'train', model: 'mlp' }, [/--data is missing/, /samples/, /--data synthetic/]],
    [{ task: 'train', data: 'D' }, [/--model is missing/, /network/, /--model lenet/]],
    [{ ...train, out: 'M', onnx: 'M' }, [/same file/, /'M'/, /--onnx/]],
    [{ ...train, lr: 'fast' }, [/--lr needs a number/, /'fast'/, /--lr 0.05/]],
    [{ ...train, lr: '0' }, [/--lr needs a number/, /'0'/, /--lr 0.05/]],
    [{ ...train, momentum: '1' }, [/--momentum needs/, /'1'/, /--momentum 0.9/]],
    [{ ...train, optimizer: 'adamx' }, [/--optimizer must be/, /'adamx'/, /--optimizer adam/]],
    [{ ...train, compress: 'bf61' }, [/--compress must be/, /'bf61'/, /--compress bf16/]],
    [{ ...train, compress: 'topk:0%' }, [/--compress must be/, /'topk:0%'/, /--compress topk:1%/]],
    [{ ...train, checkpointEvery: 'often' }, [/--checkpoint-every cannot/, /'often'/, /--checkpoint-every 30s/]],
    [{ ...train, input: 'X.npy' }, [/--input does not belong to --task train/, /infer has/, /did you mean --data/]],
    [{ ...train, size: '4' }, [/--size does not belong to --task train/, /matrix_mult has/, /did you mean --batch/]],
    [{ ...train, detach: true, onnx: 'M' }, [/--detach and --onnx/, /on the head/, /--out MODEL.safetensors/]],
    [{ task: 'infer', input: 'X.npy' }, [/--model is missing/, /ONNX/, /--model M.onnx/]],
    [{ task: 'infer', model: 'M.onnx' }, [/--input is missing/, /rows/, /--input X.npy/]],
    [
      { task: 'infer', model: 'M', input: 'X', outputShape: '10x' },
      [/--output-shape needs/, /'10x'/, /--output-shape 10/],
    ],
    [
      { task: 'infer', model: 'M', input: 'X', batch: '8' },
      [/--batch does not belong to --task infer/, /echo has|train has/, /did you mean --rows-per-block/],
    ],
  ] as [Flags, [RegExp, RegExp, RegExp]][])('%j', (flags, [what, why, fix]) => {
    expect(() => resolveRun(flags)).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        exit: 2,
        message: expect.stringMatching(what),
        why: expect.stringMatching(why),
        fix: expect.stringMatching(fix),
      }),
    );
  });
});

test.each(['localhost', '192.168.1.20', 'rtx-box.local', '::1', 'fe80::1'])('--head %s', (head) => {
  expect(resolveConnection({ head }).host).toBe(head);
});
