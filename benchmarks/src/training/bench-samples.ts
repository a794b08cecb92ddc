import {
  packBlock,
  parseSampleLayout,
  samplesOfBlock,
  samplesPerBlock,
  syntheticDigits,
  viewBlock,
  type BlockView,
  type SampleLayout,
  type SampleShape,
} from '@muster/shared';
import type { SampleSet, TrainingData } from '@muster/user-client';

const SHAPE: SampleShape = { features: [1, 28, 28], featureType: 'uint8', target: { kind: 'classes', classes: 10 } };
const PIXELS = 28 * 28;

/** Samples to train on, for a cluster and for a loop in this process. There is no test set, so that every round is a step. */
export class BenchSamples implements TrainingData {
  readonly layout: SampleLayout;
  readonly train: SampleSet;
  readonly test: SampleSet;
  /** Blocks of the set, in memory. */
  readonly blockAt: (number: number) => BlockView;

  /** Different digits. */
  static digits(count: number): BenchSamples {
    return new BenchSamples(syntheticDigits({ samples: count, seed: 1 }));
  }

  /** Copies of one digit: the gradient of a shard is a multiple of that of one sample. */
  static alike(count: number): BenchSamples {
    const { features, labels } = syntheticDigits({ samples: 1, seed: 1 });
    const copies = new Uint8Array(count * PIXELS);
    for (let at = 0; at < count; at++) copies.set(features, at * PIXELS);
    return new BenchSamples({ features: copies, labels: new Uint16Array(count).fill(labels[0] ?? 0) });
  }

  private constructor({ features, labels }: ReturnType<typeof syntheticDigits>) {
    this.layout = parseSampleLayout({ ...SHAPE, scale: 1 / 255, shift: 0, samplesPerBlock: samplesPerBlock(SHAPE) });
    const read: SampleSet['read'] = (from, to) => ({
      features: features.subarray(from * PIXELS, to * PIXELS),
      targets: labels.subarray(from, to),
    });
    this.train = { samples: labels.length, read };
    this.test = { samples: 0, read };
    this.blockAt = blocksOf(this.layout, { features, labels });
  }

  get count(): number {
    return this.train.samples;
  }
}

function blocksOf(
  layout: SampleLayout,
  { features, labels }: ReturnType<typeof syntheticDigits>,
): BenchSamples['blockAt'] {
  const views = new Map<number, BlockView>();
  return (number) => {
    const range = samplesOfBlock(layout, labels.length, number);
    const view = views.get(number) ?? viewBlock(layout, packBlock(layout, { features, targets: labels }, range));
    views.set(number, view);
    return view;
  };
}
