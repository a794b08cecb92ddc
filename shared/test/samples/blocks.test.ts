import { describe, expect, test } from '@jest/globals';
import {
  gatherBatch,
  limits,
  packBlock,
  parseSampleLayout,
  sampleBlocks,
  sampleBytes,
  samplesOfBlock,
  samplesPerBlock,
  targetWidth,
  viewBlock,
  type BlockView,
  type SampleLayout,
  type Samples,
} from '@muster/shared';
import * as fc from 'fast-check';

const mnist: SampleLayout = {
  features: [1, 28, 28],
  featureType: 'uint8',
  scale: 1 / 255,
  shift: 0,
  target: { kind: 'classes', classes: 10 },
  samplesPerBlock: 1334,
};

interface Case extends Samples {
  readonly layout: SampleLayout;
  readonly samples: number;
  readonly indices: readonly number[];
}

const cases: fc.Arbitrary<Case> = fc
  .record({
    features: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }),
    featureType: fc.constantFrom('uint8' as const, 'float32' as const),
    scale: fc.constantFrom(1, 1 / 255, -0.75),
    shift: fc.constantFrom(0, 0.5),
    target: fc.oneof(
      fc.record({ kind: fc.constant('classes' as const), classes: fc.integer({ min: 2, max: 12 }) }),
      fc.record({ kind: fc.constant('values' as const), width: fc.integer({ min: 1, max: 3 }) }),
    ),
    samplesPerBlock: fc.integer({ min: 1, max: 9 }),
  })
  .chain((layout) =>
    fc.integer({ min: 1, max: 30 }).chain((samples) =>
      fc.record({
        layout: fc.constant(layout),
        samples: fc.constant(samples),
        features: arrayOf(layout.featureType, samples * layout.features.reduce((a, b) => a * b)),
        targets: targetsOf(layout.target, samples),
        indices: fc.array(fc.integer({ min: 0, max: samples - 1 }), { maxLength: 20 }),
      }),
    ),
  );

function arrayOf(type: SampleLayout['featureType'], length: number): fc.Arbitrary<Uint8Array | Float32Array> {
  return type === 'uint8'
    ? fc.uint8Array({ minLength: length, maxLength: length })
    : fc.float32Array({ minLength: length, maxLength: length, noNaN: true, noDefaultInfinity: true });
}

function targetsOf(target: SampleLayout['target'], samples: number): fc.Arbitrary<Uint16Array | Float32Array> {
  if (target.kind === 'values') return arrayOf('float32', samples * target.width) as fc.Arbitrary<Float32Array>;
  return fc.uint16Array({ minLength: samples, maxLength: samples, max: target.classes - 1 });
}

function blocksOf({ layout, samples, ...arrays }: Case, misalign = 0): BlockView[] {
  return Array.from({ length: sampleBlocks(layout, samples) }, (_, number) => {
    const packed = packBlock(layout, arrays, samplesOfBlock(layout, samples, number));
    // A Buffer, as sockets give them: its slice copies nothing.
    const moved = Buffer.alloc(packed.length + misalign).subarray(misalign);
    moved.set(packed);
    return viewBlock(layout, moved);
  });
}

/** Sample by sample, from the arrays themselves. */
function expectedBatch({ layout, features, targets, indices }: Case): { X: number[]; Y: number[] } {
  const width = layout.features.reduce((a, b) => a * b);
  const outputs = targetWidth(layout);
  const row = (index: number): number[] =>
    Array.from(features.subarray(index * width, (index + 1) * width), (x) =>
      Math.fround(x * layout.scale + layout.shift),
    );
  const target = (index: number): number[] =>
    layout.target.kind === 'classes'
      ? Array.from({ length: outputs }, (_, label) => (targets[index] === label ? 1 : 0))
      : Array.from(targets.subarray(index * outputs, (index + 1) * outputs));
  return { X: indices.flatMap(row), Y: indices.flatMap(target) };
}

describe('blocks of samples', () => {
  test('packed, viewed at any alignment and gathered, samples are what they were', () => {
    fc.assert(
      fc.property(cases, fc.integer({ min: 0, max: 7 }), (one, misalign) => {
        const blocks = blocksOf(one, misalign);
        const expected = expectedBatch(one);
        const X = new Float32Array(expected.X.length + 2).fill(7);
        const Y = new Float32Array(expected.Y.length + 2).fill(7);
        gatherBatch(one.layout, { blockAt: (number) => blocks[number]!, indices: one.indices }, { X, Y });
        // Scaled by 1 and shifted by 0, -0 may stay -0.
        expect(X.map((x) => x + 0)).toEqual(Float32Array.from([...expected.X, 7, 7]).map((x) => x + 0));
        expect(Y.map((y) => y + 0)).toEqual(Float32Array.from([...expected.Y, 7, 7]).map((y) => y + 0));
      }),
    );
  });

  test('a view of aligned bytes copies nothing', () => {
    const samples = { features: new Uint8Array(2 * 784).fill(3), targets: Uint16Array.of(1, 9) };
    const bytes = packBlock(mnist, samples, [0, 2]);
    const view = viewBlock(mnist, bytes);
    expect(view.features.buffer).toBe(bytes.buffer);
    expect(view.targets).toEqual(Uint16Array.of(1, 9));
    expect(bytes.length).toBe(2 * 786);
  });

  test('as many samples as fit one chunk', () => {
    const shape = { features: [1, 28, 28], featureType: 'uint8', target: { kind: 'classes', classes: 10 } } as const;
    expect(samplesPerBlock({ ...shape, features: [1, 28, 28] })).toBe(1334);
    fc.assert(
      fc.property(cases, ({ layout }) => {
        const most = samplesPerBlock(layout);
        expect(most * sampleBytes(layout)).toBeLessThanOrEqual(limits.chunkBytesMax.value);
        expect((most + 1) * sampleBytes(layout)).toBeGreaterThan(limits.chunkBytesMax.value);
      }),
    );
  });

  test.each([
    ['no bytes', new Uint8Array(0), /0 bytes/],
    ['half a sample', new Uint8Array(393), /393 bytes/],
    ['more samples than a block has', new Uint8Array(1335 * 786), /1 to 1334 samples/],
    [
      'a label that is no class',
      packBlock(mnist, { features: new Uint8Array(1568), targets: Uint16Array.of(9, 10) }, [0, 2]),
      /sample 1 has label 10/,
    ],
  ])('%s: BAD_DATA', (_name, bytes, why) => {
    expect(() => viewBlock(mnist, bytes)).toThrow(
      expect.objectContaining({ code: 'BAD_DATA', why: expect.stringMatching(why) }),
    );
  });
});

describe('a layout', () => {
  test('of MNIST is read', () => expect(parseSampleLayout(mnist)).toEqual(mnist));

  test.each([
    ['features', { features: [] }, 'USAGE'],
    ['scale', { scale: Number.NaN }, 'USAGE'],
    ['target.classes', { target: { kind: 'classes', classes: 1 } }, 'USAGE'],
    ['limit is 1048576', { samplesPerBlock: 1335 }, 'TOO_LARGE'],
    ['limit is 1048576', { features: [1024, 1024, 2] }, 'TOO_LARGE'],
  ])('%s: refused', (why, fields, code) => {
    expect(() => parseSampleLayout({ ...mnist, ...fields })).toThrow(
      expect.objectContaining({ code, why: expect.stringContaining(why) }),
    );
  });
});
