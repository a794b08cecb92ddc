import { describe, expect, test } from '@jest/globals';
import { bytesOf, decodeGradient, encodedBytes, encodeGradient, ErrorFeedback, type Compression } from '@muster/shared';
import * as fc from 'fast-check';
import { bitsOf, gradientOf, gradients, largestDifference, refusal } from './arbitrary-gradients.ts';

const codecs: readonly Compression[] = ['none', 'bf16', 'int8', { topk: 0.01 }, { topk: 0.3 }, { topk: 1 }];
const codecNamed = codecs.map((codec) => [JSON.stringify(codec), codec] as const);

function roundTrip(codec: Compression, values: Float32Array): Float32Array {
  const out = new Float32Array(values.length).fill(7);
  decodeGradient(codec, encodeGradient(codec, values), { out });
  return out;
}

/** The nearest of the two neighbouring bf16 numbers, the one with an even last bit of two equally near. */
function nearestBf16(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  const upper = view.getUint16(0);
  const [low, high] = [upper, upper + 1].map((half) => {
    view.setUint32(0, half * 65_536);
    return view.getFloat32(0);
  }) as [number, number];
  const [toLow, toHigh] = [Math.abs(value - low), Math.abs(high - value)];
  if (toLow === toHigh) return upper % 2 === 0 ? low : high;
  return toLow < toHigh ? low : high;
}

/** Places by magnitude, of equal ones the first first. */
const bySize = (values: Float32Array): number[] =>
  [...values.keys()].toSorted((a, b) => Math.abs(values[b]!) - Math.abs(values[a]!) || a - b);

function onlyLargest(values: Float32Array, order: readonly number[], kept: number): Float32Array {
  const out = new Float32Array(values.length);
  for (const index of order.slice(0, kept)) out[index] = values[index]!;
  return out;
}

describe.each(codecNamed)('the codec %s', (_name, codec) => {
  test('takes the bytes it says, at any alignment, and adds what it would store', () => {
    fc.assert(
      fc.property(gradients, fc.integer({ min: 0, max: 3 }), (values, shift) => {
        const bytes = encodeGradient(codec, values);
        expect(bytes.length).toBe(encodedBytes(codec, values.length));
        const moved = new Uint8Array(bytes.length + shift).subarray(shift);
        moved.set(bytes);
        const [out, sum] = [new Float32Array(values.length).fill(3), new Float32Array(values.length).fill(3)];
        decodeGradient(codec, moved, { out });
        decodeGradient(codec, moved, { out: sum, add: true });
        expect(out).toEqual(roundTrip(codec, values));
        expect(sum).toEqual(out.map((value) => 3 + value));
      }),
      { numRuns: 25 },
    );
  });

  test('refuses a payload of another length and leaves its target', () => {
    const bytes = encodeGradient(codec, gradientOf(1500, 1));
    const out = new Float32Array(1500).fill(5);
    const longer = new Uint8Array(bytes.length + 1);
    for (const wrong of [bytes.subarray(1), longer, new Uint8Array(0), bytes.subarray(0, bytes.length - 4)]) {
      const error = refusal(() => decodeGradient(codec, wrong, { out }));
      expect(error.code).toBe('PROTOCOL');
      expect(error.why).toBe(`${wrong.length} bytes, 1500 values take ${bytes.length}`);
    }
    expect(out).toEqual(new Float32Array(1500).fill(5));
  });

  test('takes a model without parameters', () => {
    expect(roundTrip(codec, new Float32Array(0))).toEqual(new Float32Array(0));
  });
});

describe('bf16', () => {
  test('rounds to the nearest, ties to even', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true, max: 2 ** 126, min: -(2 ** 126) }), (value) => {
        expect(roundTrip('bf16', Float32Array.of(value))[0]).toBe(nearestBf16(value));
      }),
      { numRuns: 2000 },
    );
    const ties = Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, -1 - 2 ** -8, 1 + 2 ** -8 + 2 ** -23);
    expect([...roundTrip('bf16', ties)]).toEqual([1, 1 + 2 ** -6, -1, 1 + 2 ** -7]);
  });

  test('keeps what is not finite', () => {
    const values = Float32Array.of(Infinity, -Infinity, Number.NaN, -0, 3.4028234e38);
    expect([...roundTrip('bf16', values)]).toEqual([Infinity, -Infinity, Number.NaN, -0, Infinity]);
    const noise = new Float32Array(Uint32Array.of(0x7f800001, 0xffffffff, 0x7fffffff).buffer);
    expect([...roundTrip('bf16', noise)]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  });
});

describe('int8', () => {
  test('is within half a level of each block', () => {
    fc.assert(
      fc.property(gradients, (values) => {
        const out = roundTrip('int8', values);
        for (let from = 0; from < values.length; from += 1024) {
          const block = values.subarray(from, from + 1024);
          const largest = block.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
          const allowed = (largest / 127) * 0.50001 + 127 * 2 ** -126;
          expect(largestDifference(out.subarray(from, from + 1024), block)).toBeLessThanOrEqual(allowed);
        }
      }),
    );
  });

  test('keeps the extremes of a block and rounds ties to even', () => {
    expect([...roundTrip('int8', Float32Array.of(127, -127, 0.5, 1.5, -2.5, 0))]).toEqual([127, -127, 0, 2, -2, 0]);
    expect([...roundTrip('int8', Float32Array.of(1e-45, -1e-44))].map(Math.abs)).toEqual([0, 0]);
  });

  test.each([Number.NaN, -1, Infinity])('refuses the scale %d and leaves its target', (scale) => {
    const bytes = encodeGradient('int8', gradientOf(1500, 1));
    new DataView(bytes.buffer).setFloat32(4, scale, true);
    const out = new Float32Array(1500).fill(5);
    const error = refusal(() => decodeGradient('int8', bytes, { out, add: true }));
    expect([error.code, error.why]).toEqual(['PROTOCOL', `block 1 has the scale ${scale}`]);
    expect(out).toEqual(new Float32Array(1500).fill(5));
  });
});

describe('top-k', () => {
  test('keeps the k largest, of equal ones the first', () => {
    const coarse = fc.array(fc.integer({ min: -4, max: 4 }), { minLength: 1, maxLength: 600 });
    fc.assert(
      fc.property(fc.oneof(coarse, gradients), fc.double({ min: 0.001, max: 1, noNaN: true }), (given, topk) => {
        const values = Float32Array.from(given);
        const kept = encodedBytes({ topk }, values.length) / 8;
        expect(roundTrip({ topk }, values)).toEqual(onlyLargest(values, bySize(values), kept));
      }),
    );
  });

  test.each([
    ['like a gradient', gradientOf(20_000, 3)],
    ['all equal', new Float32Array(20_000).fill(-2)],
    ['zero but for a few', new Float32Array(20_000).fill(5, 100, 120)],
    ['large only where a sample looks', gradientOf(20_000, 4).map((value, i) => (i % 8 === 0 ? 50 + value : value))],
    ['large only where no sample looks', gradientOf(20_000, 4).map((value, i) => (i % 8 === 1 ? 50 + value : value))],
  ])('is exact for many values %s', (_name, values) => {
    const order = bySize(values);
    for (const topk of [0.0001, 0.01, 0.2]) {
      const [sent, expected] = [roundTrip({ topk }, values), onlyLargest(values, order, Math.round(topk * 20_000))];
      expect(Buffer.compare(bytesOf(sent), bytesOf(expected))).toBe(0);
    }
  });

  const payload = (indices: number[], values: number[]): Uint8Array => {
    const bytes = new Uint8Array(8 * indices.length);
    const view = new DataView(bytes.buffer);
    indices.forEach((index, i) => view.setUint32(4 * i, index, true));
    values.forEach((value, i) => view.setFloat32(4 * (indices.length + i), value, true));
    return bytes;
  };

  test('is indices, then values', () => {
    expect(encodeGradient({ topk: 0.5 }, Float32Array.of(1, -9, 0, 4))).toEqual(payload([1, 3], [-9, 4]));
  });

  test.each([
    [[0, 4], [1, 1], 'index 4 after 0'],
    [[0, 2 ** 32 - 1], [1, 1], 'after 0'],
    [[2, 2], [1, 1], 'index 2 after 2'],
    [[3, 1], [1, 1], 'index 1 after 3'],
    [[0, 1], [1, Number.NaN], 'the value NaN at index 1'],
    [[0, 1], [-Infinity, 1], 'the value -Infinity at index 0'],
  ])('refuses the indices %j with %j and leaves its target', (indices, values, why) => {
    const out = Float32Array.of(1, 2, 3, 4);
    const error = refusal(() => decodeGradient({ topk: 0.5 }, payload(indices, values), { out }));
    expect(error.code).toBe('PROTOCOL');
    expect(error.why).toContain(why);
    expect([...out]).toEqual([1, 2, 3, 4]);
  });
});

test.each([
  ['int8', 'NaN', Number.NaN],
  ['int8', 'infinity', -Infinity],
  ['int8', 'the end of float32', 3e38],
  [{ topk: 0.01 }, 'NaN', Number.NaN],
  [{ topk: 0.01 }, 'infinity', Infinity],
] as const)('%j says that training diverged at %s', (codec, _name, value) => {
  const values = gradientOf(3000, 1);
  values[2000] = value;
  const error = refusal(() => encodeGradient(codec, values));
  expect([error.code, error.message]).toEqual(['BAD_DATA', 'the training diverged: a gradient is not finite']);
  expect(error.fix).toContain('learningRate');
});

describe('error feedback', () => {
  test.each(codecNamed)('with %s sends in the end all that it was given', (_name, codec) => {
    const feedback = new ErrorFeedback(codec, 2000);
    const [given, sent] = [new Float64Array(2000), new Float64Array(2000)];
    const out = new Float32Array(2000);
    for (let round = 0; round < 60; round += 1) {
      const gradient = gradientOf(2000, round);
      decodeGradient(codec, feedback.encode(gradient), { out });
      for (let i = 0; i < 2000; i += 1) {
        given[i]! += gradient[i]!;
        sent[i]! += out[i]!;
      }
    }
    const owed = given.map((value, i) => value - sent[i]!);
    const largest = owed.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(largest).toBeLessThan(codec === 'int8' || codec === 'bf16' ? 1e-4 : typeof codec === 'object' ? 0.5 : 1e-6);
  });

  test('adds exactly what was left out to the next gradient', () => {
    const feedback = new ErrorFeedback({ topk: 0.5 }, 2);
    const out = new Float32Array(2);
    const sentFor = (gradient: number[]): number[] => {
      decodeGradient({ topk: 0.5 }, feedback.encode(Float32Array.from(gradient)), { out });
      return [...out];
    };
    expect(sentFor([4, 3])).toEqual([4, 0]);
    expect(sentFor([4, 3])).toEqual([0, 6]);
    expect(sentFor([0, 1])).toEqual([4, 0]);
    expect(feedback.latest).toBe(3);
    feedback.drop();
    expect(feedback.latest).toBe(0);
    expect(sentFor([0.5, 0.25])).toEqual([0.5, 0]);
  });

  test('leaves the gradient as it is, and the residual at one that is not finite', () => {
    const feedback = new ErrorFeedback({ topk: 0.5 }, 2);
    const gradient = Float32Array.of(4, 3);
    feedback.encode(gradient);
    expect([...gradient]).toEqual([4, 3]);
    expect(refusal(() => feedback.encode(Float32Array.of(Number.NaN, 1))).code).toBe('BAD_DATA');
    expect(feedback.latest).toBe(1);
    const out = new Float32Array(2);
    decodeGradient({ topk: 0.5 }, feedback.encode(Float32Array.of(1, 1)), { out });
    expect([...out]).toEqual([0, 4]);
  });

  describe('of gradients that did not come', () => {
    const codec = { topk: 0.5 } as const;
    const sentBy = (feedback: ErrorFeedback, ...gradient: number[]): number[] => {
      const out = new Float32Array(gradient.length);
      decodeGradient(codec, feedback.encode(Float32Array.from(gradient)), { out });
      return [...out];
    };
    const afterTwo = (): ErrorFeedback => {
      const feedback = new ErrorFeedback(codec, 2, 40);
      feedback.begin({ step: 0, taken: 0 });
      expect(sentBy(feedback, 4, 3)).toEqual([4, 0]);
      feedback.begin({ step: 1, taken: 41 });
      expect(sentBy(feedback, 1, 1)).toEqual([0, 4]);
      return feedback;
    };

    test('keeps what was left before one, as if that had never been', () => {
      const feedback = afterTwo();
      feedback.begin({ step: 2, taken: 41 });
      expect(feedback.latest).toBe(41);
      expect(sentBy(feedback, 1, 2)).toEqual([0, 5]);
      expect(feedback.latest).toBe(43);
      feedback.begin({ step: 3, taken: 43 });
      expect(sentBy(feedback, 0, 0)).toEqual([1, 0]);
    });

    test.each([
      ['those are more than one', 40],
      ['none was taken', 0],
      ['nobody knows the one that was', 7],
    ])('keeps nothing where %s', (_what, taken) => {
      const feedback = afterTwo();
      feedback.begin({ step: 2, taken });
      expect(feedback.latest).toBe(0);
      expect(sentBy(feedback, 0, 0)).toEqual([0, 0]);
    });

    test('goes back once, and not between two of a step', () => {
      const feedback = afterTwo();
      feedback.begin({ step: 2, taken: 41 });
      feedback.begin({ step: 3, taken: 0 });
      expect(feedback.latest).toBe(0);
      const other = afterTwo();
      other.begin({ step: 1, taken: 41 });
      expect(other.latest).toBe(42);
      other.begin({ step: 2, taken: null });
      expect(other.latest).toBe(42);
    });

    test('begins anew with each of a step where none was taken before', () => {
      const feedback = new ErrorFeedback(codec, 2);
      for (const number of [1, 2]) {
        feedback.begin({ step: 0, taken: 0 });
        expect([feedback.latest, sentBy(feedback, 4, 3), feedback.latest]).toEqual([0, [4, 0], number]);
      }
    });
  });

  test('numbers what it encodes beyond the end of uint32, and never by 0', () => {
    const feedback = new ErrorFeedback('none', 1, 2 ** 32 - 2);
    const numbers = [0, 1, 2].map(() => (feedback.encode(Float32Array.of(1)), feedback.latest));
    expect(numbers).toEqual([2 ** 32 - 1, 1, 2]);
  });

  test('without loss sends its own copy', () => {
    const feedback = new ErrorFeedback('none', 3);
    const first = feedback.encode(Float32Array.of(1, 2, 3));
    feedback.encode(Float32Array.of(9, 9, 9));
    expect(bitsOf(new Float32Array(first.slice().buffer))).toEqual(bitsOf(Float32Array.of(1, 2, 3)));
  });
});
