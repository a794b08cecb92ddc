import { describe, expect, test } from '@jest/globals';
import { silentLogger } from '@muster/shared';
import { resolveOptions } from '../../src/compute/compute-options.ts';
import { candidates, chooseFastest } from '../../src/compute/device-ladder.ts';
import type { DeviceKind } from '../../src/compute/compute-protocol.ts';

describe('candidates', () => {
  test.each([
    ['win32', 'x64', ['dml', 'webgpu', 'cpu']],
    ['darwin', 'arm64', ['webgpu', 'cpu']],
    ['linux', 'x64', ['cuda', 'webgpu', 'cpu']],
    ['linux', 'arm64', ['cpu']],
    ['freebsd', 'x64', ['cpu']],
  ])('%s %s', (platform, arch, expected) => {
    expect(candidates('auto', { platform, arch, hasTfjs: false })).toEqual(expected);
  });

  test('TensorFlow is tried where it is installed, last before the CPU', () => {
    const machine = { platform: 'win32', arch: 'x64', hasTfjs: true };
    expect(candidates('auto', machine)).toEqual(['dml', 'webgpu', 'tfjs', 'cpu']);
  });

  test('a device that is asked for is the only one', () => {
    expect(candidates('coreml', { platform: 'darwin', arch: 'arm64', hasTfjs: true })).toEqual(['coreml']);
  });
});

describe('choice', () => {
  const probe = (kind: DeviceKind, float32: number) => ({
    kind,
    process: kind,
    opened: { note: '', served: ['float32'], gflops: { float32, float64: 1, int8: 1 } } as const,
  });

  test('a software WebGPU that is slower than the CPU is not taken', () => {
    const { chosen, slower } = chooseFastest([probe('webgpu', 3.2149), probe('cpu', 250.4)]);
    expect(chosen?.kind).toBe('cpu');
    expect(slower).toEqual([{ ep: 'webgpu', reason: 'slower than cpu: 3.21 vs 250 GFLOP/s' }]);
  });

  test('the better one wins when they are equal, and nothing wins among none', () => {
    expect(chooseFastest([probe('cuda', 9), probe('cpu', 9)]).chosen?.kind).toBe('cuda');
    expect(chooseFastest([])).toEqual({ chosen: undefined, slower: [] });
  });
});

describe('options', () => {
  const options = { device: 'auto', threads: 0, maxMemoryBytes: 0, logger: silentLogger } as const;

  test('have values for everything that is left to the program', () => {
    const { threads, memoryBytes, openRequest } = resolveOptions(options);
    expect(threads).toBeGreaterThan(0);
    expect(memoryBytes).toBeGreaterThan(2 ** 20);
    expect(openRequest).toMatchObject({ tamper: '', threads });
  });

  test('a small memory gives a small cache', () => {
    expect(resolveOptions({ ...options, maxMemoryBytes: 2 ** 26 }).openRequest.cacheBytes).toBe(2 ** 24);
  });
});
