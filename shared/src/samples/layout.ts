/** What one sample of a data set is, and how samples are cut into blocks. */
import { elementCount } from '../tensor/shape.ts';
import { z } from 'zod';
import { parseOrThrow } from '../first-issue.ts';
import { MusterError } from '../errors.ts';
import { limits } from '../protocol/limits.ts';

const side = z.number().int().min(1).max(limits.dimensionMax.value);

export const sampleLayout = z.object({
  /** Shape of one sample without the batch: [channels, height, width] or [features]. */
  features: z.array(side).min(1).max(4),
  featureType: z.enum(['uint8', 'float32']),
  /** A model sees x * scale + shift: 1/255 and 0 for images of bytes. */
  scale: z.number(),
  shift: z.number(),
  target: z.discriminatedUnion('kind', [
    /** One label a sample, uint16 in a block, one-hot in a batch. */
    z.object({ kind: z.literal('classes'), classes: z.number().int().min(2).max(limits.dimensionMax.value) }),
    /** `width` float32 a sample. */
    z.object({ kind: z.literal('values'), width: side }),
  ]),
  /** Samples in every block; the last may have fewer. */
  samplesPerBlock: z.number().int().min(1).max(limits.chunkBytesMax.value),
});

export type SampleLayout = z.infer<typeof sampleLayout>;
export type SampleTarget = SampleLayout['target'];
/** Features as they lie in blocks: not scaled. */
export type Features = Uint8Array | Float32Array;
/** Labels, or `width` values a sample. */
export type Targets = Uint16Array | Float32Array;

/** A layout without its cut into blocks. */
export type SampleShape = Pick<SampleLayout, 'features' | 'featureType' | 'target'>;

/** Throws USAGE with the field, TOO_LARGE when a block would be more than one chunk. */
export function parseSampleLayout(raw: unknown): SampleLayout {
  const layout = parseOrThrow(sampleLayout, raw, 'the layout of the samples');
  if (layout.samplesPerBlock <= samplesPerBlock(layout)) return layout;
  throw new MusterError('TOO_LARGE', 'a block of samples is too large', {
    why: `${layout.samplesPerBlock} samples of ${sampleBytes(layout)} bytes, the limit is ${limits.chunkBytesMax.value}`,
  });
}

/** Numbers in the features of one sample. */
export const featureCount = ({ features }: Pick<SampleLayout, 'features'>): number => elementCount(features);

/** Numbers in the target of one sample as it lies in a block. */
export const targetCount = ({ target }: Pick<SampleLayout, 'target'>): number =>
  target.kind === 'classes' ? 1 : target.width;

/** Numbers in the target of one sample as a model sees it: a one-hot vector, or the values. */
export const targetWidth = ({ target }: Pick<SampleLayout, 'target'>): number =>
  target.kind === 'classes' ? target.classes : target.width;

export const featureBytes = (shape: SampleShape): number =>
  featureCount(shape) * (shape.featureType === 'uint8' ? 1 : Float32Array.BYTES_PER_ELEMENT);

export const targetBytes = (shape: SampleShape): number =>
  targetCount(shape) *
  (shape.target.kind === 'classes' ? Uint16Array.BYTES_PER_ELEMENT : Float32Array.BYTES_PER_ELEMENT);

/** Bytes of one sample in a block. */
export const sampleBytes = (shape: SampleShape): number => featureBytes(shape) + targetBytes(shape);

/** As many samples as one chunk holds. Throws TOO_LARGE when not even one fits. */
export function samplesPerBlock(shape: SampleShape): number {
  const most = Math.floor(limits.chunkBytesMax.value / sampleBytes(shape));
  if (most >= 1) return most;
  throw new MusterError('TOO_LARGE', 'one sample is too large', {
    why: `${shape.features.join(' x ')} ${shape.featureType} and its target are ${sampleBytes(shape)} bytes, the limit is ${limits.chunkBytesMax.value}`,
    fix: 'give smaller samples: fewer features, or uint8 in the place of float32',
  });
}

/** Number of blocks for this many samples. */
export const sampleBlocks = ({ samplesPerBlock: each }: SampleLayout, samples: number): number =>
  Math.ceil(samples / each);

/** [from, to) of the samples in block `number`. */
export const samplesOfBlock = (
  { samplesPerBlock: each }: SampleLayout,
  samples: number,
  number: number,
): readonly [number, number] => [number * each, Math.min(samples, (number + 1) * each)];
