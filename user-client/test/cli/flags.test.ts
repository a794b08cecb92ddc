import { describe, expect, test } from '@jest/globals';
import { variableOf, withEnvironment } from '../../src/cli/flags.ts';

test('the variable of a flag', () => {
  expect(variableOf('portBase')).toBe('MUSTER_PORT_BASE');
  expect(variableOf('a')).toBe('MUSTER_A');
});

describe('withEnvironment', () => {
  const chosen = (flags: Parameters<typeof withEnvironment>[0], env: Record<string, string>): object =>
    Object.fromEntries(
      Object.entries(withEnvironment(flags, env)).filter(([, value]) => value !== undefined && value !== false),
    );

  test('a flag wins over its variable', () => {
    const env = { MUSTER_HEAD: 'one', MUSTER_PORT_BASE: '7000', MUSTER_TASK: 'matrix_mult' };
    expect(chosen({ head: 'two' }, env)).toEqual({ head: 'two', portBase: '7000', task: 'matrix_mult' });
  });

  test('an empty variable is none', () => {
    expect(chosen({}, { MUSTER_HEAD: '', MUSTER_JSON: '0', MUSTER_DETACH: 'false' })).toEqual({});
  });

  test('switches', () => {
    expect(chosen({}, { MUSTER_JSON: '1' })).toEqual({ json: true });
  });

  test('variables that do not fit the flags do not count', () => {
    expect(chosen({ a: 'A.npy', b: 'B.npy' }, { MUSTER_SIZE: '8' })).toEqual({ a: 'A.npy', b: 'B.npy' });
    expect(chosen({ size: '8' }, { MUSTER_A: 'A.npy' })).toEqual({ size: '8' });
    expect(chosen({ task: 'echo' }, { MUSTER_SIZE: '8', MUSTER_COUNT: '3' })).toEqual({ task: 'echo', count: '3' });
    expect(chosen({ task: 'matrix_mult' }, { MUSTER_SIZE: '8', MUSTER_COUNT: '3' })).toEqual({
      task: 'matrix_mult',
      size: '8',
    });
    expect(chosen({ detach: true }, { MUSTER_OUT: 'C.npy' })).toEqual({ detach: true });
    expect(chosen({ task: 'train' }, { MUSTER_SIZE: '8', MUSTER_LR: '0.1', MUSTER_DETERMINISTIC: 'no' })).toEqual({
      task: 'train',
      lr: '0.1',
    });
    expect(chosen({ task: 'train' }, { MUSTER_DETERMINISTIC: '1' })).toEqual({ task: 'train', deterministic: true });
  });
});
