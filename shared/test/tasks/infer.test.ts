import { describe, expect, test } from '@jest/globals';
import { blockIdOf, limits, parseInferSpec, taskTypeNamed } from '@muster/shared';
import { refusal } from '../training/arbitrary-gradients.ts';

const port = (name: string) => ({ name, shape: [3], dtype: 'float32' }) as const;
const specOf = (rows: number, rowsPerBlock: number) => ({
  rows,
  rowsPerBlock,
  modelBytes: 100,
  input: port('x'),
  output: port('y'),
});

describe('an inference', () => {
  test('has as many blocks as the head keeps tables for', () => {
    const { value } = limits.inferBlocksMax;
    expect(parseInferSpec(specOf(value, 1)).rows).toBe(value);
    const error = refusal(() => parseInferSpec(specOf(value + 1, 1)));
    expect([error.code, error.fix]).toEqual(['TOO_LARGE', '--rows-per-block 2']);
    expect(error.why).toContain(`${value + 1} blocks`);
  });

  test('tells the shape of all its rows, whatever their rank', () => {
    const output = { ...port('y'), shape: [2, 3, 2, 3, 2, 3, 2] };
    const spec = parseInferSpec({ ...specOf(20, 5), output });
    expect(taskTypeNamed('infer').describe(spec)).toEqual({ shape: [20, 2, 3, 2, 3, 2, 3, 2], dtype: 'float32' });
  });

  test('is worked on in blocks that a node can hold', () => {
    const [model, x] = ['model', 'x'].map((text) => blockIdOf(Buffer.from(text)));
    const work = { model, x, rows: 1000, input: port('x'), output: port('y') };
    const readWork = (raw: unknown) => taskTypeNamed('infer').readWork(raw);
    expect(readWork(work).blocks).toEqual([model, x]);
    expect(() => readWork({ ...work, rows: limits.inferBlockBytesMax.value })).toThrow(
      'its block of rows is too large',
    );
  });
});
