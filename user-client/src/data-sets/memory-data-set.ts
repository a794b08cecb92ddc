import {
  featureCount,
  limits,
  MusterError,
  parseSampleLayout,
  sampleBytes,
  samplesPerBlock,
  targetCount,
  type Features,
  type SampleLayout,
  type Samples,
  type SampleShape,
  type Targets,
} from '@muster/shared';
import { checkedFeatures, checkedTargets, emptyClasses, targetOf } from './check-samples.ts';
import type { DataSet, DataSetOptions, DataSplit } from './data-set.ts';
import { holdOut } from './hold-out.ts';
import type { RawDataSet, RawSamples } from './raw-samples.ts';
import { tooLarge } from './read-data-file.ts';

const TEST_SHARE = 0.1;
const BYTE_SCALE = 1 / 255;

/** Validates all samples, holds out a test set if there is none, and derives the layout. */
export function dataSetOf({ train, test }: RawDataSet, options: DataSetOptions): DataSet {
  const parts = test === undefined ? [train] : [train, test];
  const layout = layoutOf(parts, options);
  const [first, second] = parts.map((part) => new MemorySplit(layout, checkedSamples(part, layout)));
  const [trained, tested] =
    second === undefined ? heldOut(first as MemorySplit, train.name, options) : [first as MemorySplit, second];
  const described = `${count(trained.samples)} samples to train and ${count(tested.samples)} to test with`;
  const origin = test === undefined ? ' (held out)' : '';
  const describe = `${described}${origin}: ${describeSample(layout)}${describeGaps(parts, layout, options)}`;
  return { layout, train: trained, test: tested, describe };
}

class MemorySplit implements DataSplit {
  readonly samples: number;
  readonly #layout: SampleLayout;
  readonly #all: Samples;

  constructor(layout: SampleLayout, all: Samples) {
    this.samples = all.features.length / featureCount(layout);
    this.#layout = layout;
    this.#all = all;
  }

  read(from: number, to: number): Samples {
    const [width, depth] = [featureCount(this.#layout), targetCount(this.#layout)];
    return {
      features: this.#all.features.subarray(from * width, to * width),
      targets: this.#all.targets.subarray(from * depth, to * depth),
    };
  }

  /** A copy of the samples with these numbers. */
  pick(numbers: Uint32Array): MemorySplit {
    const [width, depth] = [featureCount(this.#layout), targetCount(this.#layout)];
    const { features, targets } = this.#all;
    return new MemorySplit(this.#layout, {
      features: pickRows(features, width, numbers),
      targets: pickRows(targets, depth, numbers),
    });
  }
}

function pickRows<Rows extends Features | Targets>(rows: Rows, width: number, numbers: Uint32Array): Rows {
  const picked = rows.slice(0, numbers.length * width) as Rows;
  for (let at = 0; at < numbers.length; at++) {
    const from = (numbers[at] as number) * width;
    picked.set(rows.subarray(from, from + width), at * width);
  }
  return picked;
}

function heldOut(all: MemorySplit, name: string, { testShare, seed }: DataSetOptions): [MemorySplit, MemorySplit] {
  if (all.samples < 2) {
    throw new MusterError('BAD_DATA', `${name} has too few samples`, {
      why: 'it has one, and needs one to train and one to test with',
      fix: 'give more samples',
    });
  }
  const { train, test } = holdOut(all.samples, { share: testShare ?? TEST_SHARE, seed });
  return [all.pick(train), all.pick(test)];
}

function layoutOf(
  parts: readonly [RawSamples, ...RawSamples[]] | readonly RawSamples[],
  options: DataSetOptions,
): SampleLayout {
  const [train] = parts as readonly [RawSamples];
  for (const part of parts) checkAlike(train, part);
  const bytes = train.features instanceof Uint8Array;
  const shape: SampleShape = {
    features: [...train.shape],
    featureType: bytes ? 'uint8' : 'float32',
    target: targetOf(parts, options),
  };
  checkSize(parts, shape);
  const binary = parts.every(({ features }) => features.every((value) => value <= 1));
  const scale = bytes && !binary ? BYTE_SCALE : 1;
  return parseSampleLayout({ ...shape, scale, shift: 0, samplesPerBlock: samplesPerBlock(shape) });
}

const isBytes = ({ features }: RawSamples): boolean => features instanceof Uint8Array;

function checkAlike(train: RawSamples, test: RawSamples): void {
  const alike =
    String(train.shape) === String(test.shape) &&
    train.targetWidth === test.targetWidth &&
    isBytes(train) === isBytes(test);
  if (alike) return;
  const what = (part: RawSamples): string =>
    `${part.shape.join(' x ')} ${isBytes(part) ? 'bytes' : 'numbers'} with ${part.targetWidth} target(s)`;
  throw new MusterError('BAD_DATA', `${train.name} and ${test.name} do not hold the same kind of samples`, {
    why: `the one has samples of ${what(train)}, the other of ${what(test)}`,
    fix: 'give training and test set the same shape and element type',
  });
}

function checkSize(parts: readonly RawSamples[], shape: SampleShape): void {
  const samples = parts.reduce((sum, part) => sum + part.samples, 0);
  const bytes = samples * sampleBytes(shape);
  const name = parts[0]?.name ?? '';
  if (samples > limits.samplesMax.value)
    throw new MusterError('TOO_LARGE', `${name} has too many samples`, {
      why: `${samples} samples, the limit is ${limits.samplesMax.value}`,
      fix: 'give fewer samples',
    });
  if (bytes > limits.dataSetBytesMax.value) throw tooLarge(name, `its samples take ${bytes} bytes`);
}

const checkedSamples = (part: RawSamples, { target }: SampleLayout): Samples => ({
  features: checkedFeatures(part),
  targets: checkedTargets(part, target),
});

function describeSample({ features, featureType, target }: SampleLayout): string {
  const what = `${features.join(' x ')} ${featureType}`;
  return target.kind === 'classes' ? `${what}, ${target.classes} classes` : `${what}, ${target.width} value(s)`;
}

/** If the number of classes was not given, a single wrong label can create many empty ones. */
function describeGaps(parts: readonly RawSamples[], { target }: SampleLayout, { classes }: DataSetOptions): string {
  const empty = target.kind === 'classes' && classes === undefined ? emptyClasses(parts, target.classes) : 0;
  return empty === 0 ? '' : `, ${count(empty)} of them without a sample: --classes N finds a label that is wrong`;
}

const count = (number: number): string => number.toLocaleString('en-US');
