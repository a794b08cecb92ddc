/**
 * A block of samples: all features in a row and all targets in a row, the wider elements first, so that both stay aligned
 * without padding: float32 features before their targets, uint8 features behind them. Little-endian.
 */
import { MusterError } from '../errors.ts';
import { featureBytes, featureCount, sampleBytes, targetBytes, targetCount } from './layout.ts';
import type { Features, SampleLayout, Targets } from './layout.ts';

/** The samples of one block. Features and targets lie in the bytes of the block where those are aligned, else in a copy. */
export interface BlockView {
  readonly samples: number;
  readonly features: Features;
  readonly targets: Targets;
}

/** Samples in memory, one behind the other. */
export interface Samples {
  readonly features: Features;
  readonly targets: Targets;
}

/** The samples [from, to) as the bytes of a block. The arrays must be of the types of the layout. */
export function packBlock(
  layout: SampleLayout,
  { features, targets }: Samples,
  [from, to]: readonly [number, number],
): Uint8Array {
  const samples = to - from;
  const bytes = new Uint8Array(samples * sampleBytes(layout));
  const into = viewOf(layout, bytes, samples);
  const [width, depth] = [featureCount(layout), targetCount(layout)];
  into.features.set(features.subarray(from * width, to * width));
  into.targets.set(targets.subarray(from * depth, to * depth));
  return bytes;
}

/**
 * The samples of a received block. Throws BAD_DATA for a length that is no whole number of samples, more of them than the
 * layout has in a block, and a label that is no class: `gatherBatch` would write it into another sample.
 */
export function viewBlock(layout: SampleLayout, bytes: Uint8Array): BlockView {
  const samples = bytes.byteLength / sampleBytes(layout);
  if (!Number.isInteger(samples) || samples < 1 || samples > layout.samplesPerBlock) {
    throw badBlock(
      `it has ${bytes.byteLength} bytes; a block has 1 to ${layout.samplesPerBlock} samples of ${sampleBytes(layout)} bytes`,
    );
  }
  const view = viewOf(layout, bytes, samples);
  if (layout.target.kind === 'classes') checkLabels(view.targets, layout.target.classes);
  return view;
}

function checkLabels(labels: Targets, classes: number): void {
  for (let at = 0; at < labels.length; at++) {
    const label = labels[at] as number;
    if (label >= classes) throw badBlock(`sample ${at} has label ${label}; there are ${classes} classes`);
  }
}

function viewOf(layout: SampleLayout, unaligned: Uint8Array, samples: number): BlockView {
  const bytes = unaligned.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0 ? unaligned : new Uint8Array(unaligned);
  const featuresFirst = layout.featureType === 'float32';
  const featuresAt = bytes.byteOffset + (featuresFirst ? 0 : samples * targetBytes(layout));
  const targetsAt = bytes.byteOffset + (featuresFirst ? samples * featureBytes(layout) : 0);
  const FeatureArray = layout.featureType === 'uint8' ? Uint8Array : Float32Array;
  const TargetArray = layout.target.kind === 'classes' ? Uint16Array : Float32Array;
  return {
    samples,
    features: new FeatureArray(bytes.buffer as ArrayBuffer, featuresAt, samples * featureCount(layout)),
    targets: new TargetArray(bytes.buffer as ArrayBuffer, targetsAt, samples * targetCount(layout)),
  };
}

const badBlock = (why: string): MusterError =>
  new MusterError('BAD_DATA', 'a block of samples does not fit its layout', {
    why,
    fix: 'submit the task again: the block is cut anew from the data set',
  });
