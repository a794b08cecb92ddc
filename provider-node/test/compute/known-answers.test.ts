import { describe, expect, test } from '@jest/globals';
import { operandDtypes, type Elements, type OperandDtype } from '@muster/shared';
import type { Backend, Multiplier } from '../../src/compute/backends/backend.ts';
import { convolutionCase } from '../../src/compute/backends/known-answers.ts';
import { verifiedMultiplier, verify } from '../../src/compute/backends/verified-multiplier.ts';
import { LoopMultiplier } from './loop-multiplier.ts';

const broken = (dtype: OperandDtype, defect: (elements: Elements) => void): LoopMultiplier =>
  Object.assign(new LoopMultiplier(dtype), { defect });

describe('the self-test', () => {
  test.each(operandDtypes)('%s: right answers pass', async (dtype) => {
    await expect(verify(new LoopMultiplier(dtype))).resolves.toBeUndefined();
  });

  test('a product in ten bits of mantissa, as TF32 makes it, does not', async () => {
    const coarse = broken('float32', (c) => c.forEach((value, at) => (c[at] = value * (1 + 2 ** -11))));
    await expect(verify(coarse)).rejects.toThrow(
      /self-test: float32 product 9 x 37 x 19 is off by 0\.00\d+, 0\.0000022 is allowed/,
    );
  });

  test('float64 made by float32 does not', async () => {
    await expect(verify(broken('float64', (c) => c.set(Float32Array.from(c))))).rejects.toThrow('float64 product');
  });

  test('an int8 product that is off by one does not', async () => {
    await expect(verify(broken('int8', (c) => void (c[7]! += 1)))).rejects.toThrow('is off by 1.0, 0.0 is allowed');
  });

  test('NaN does not', async () => {
    await expect(verify(broken('float32', (c) => void (c[3] = Number.NaN)))).rejects.toThrow('is off by Infinity');
  });

  test("a device that keeps the caller's memory instead of a copy does not", async () => {
    const sharing = new LoopMultiplier('float32');
    sharing.keep = async (b) => ({ multiply: async (a) => sharing.multiply(a, b), release: () => undefined });
    await expect(verify(sharing)).rejects.toThrow('self-test');
  });

  test('a convolution that is wrong in one channel does not pass', () => {
    expect(() => convolutionCase.expect(new Float32Array(16 * 64))).toThrow(
      'convolution of 6 to 16 channels is off by',
    );
    expect(() => convolutionCase.expect(new Float32Array(3))).toThrow('has 3 elements');
  });
});

describe('the way to multiply', () => {
  const backendOf = (...ways: (() => Promise<Multiplier>)[]): Backend => ({
    kind: 'cpu',
    dtypes: operandDtypes,
    multipliers: () => ways,
    check: async () => undefined,
  });
  /** Sums of two products clipped to 16 bits, as u8 * s8 instructions without VNNI do. */
  const saturating = async (): Promise<Multiplier> =>
    broken('int8', (c) => c.forEach((value, at) => (c[at] = Math.max(-32768, Math.min(32767, value)))));
  const right = new LoopMultiplier('int8');

  test('is the first one that gives right answers', async () => {
    const failing = async (): Promise<Multiplier> => Promise.reject(new Error('not implemented'));
    const found = await verifiedMultiplier(
      backendOf(failing, saturating, async () => right),
      'int8',
    );
    expect(found).toBe(right);
  });

  test('is refused with the reason of the last when there is none', async () => {
    await expect(verifiedMultiplier(backendOf(saturating), 'int8')).rejects.toThrow('self-test: int8 product');
    await expect(verifiedMultiplier(backendOf(), 'int8')).rejects.toThrow('cpu does not multiply int8');
  });
});
