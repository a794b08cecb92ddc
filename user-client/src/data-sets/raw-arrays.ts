import { MusterError, type NumberArray } from '@muster/shared';
import type { RawSamples } from './raw-samples.ts';

export interface NamedArray extends NumberArray {
  /** For error texts. */
  readonly name: string;
}

/** Channel counts by which images with their channels last are recognised. */
const IMAGE_CHANNELS = [1, 3, 4];

/** Features [n, ...] and targets [n] or [n, width] as samples. Throws BAD_DATA when they do not match. */
export function pairArrays(features: NamedArray, targets: NamedArray): RawSamples {
  const [samples = 0] = features.shape;
  const [labelled = 0, targetWidth = 1] = targets.shape;
  if (targets.shape.length < 1 || targets.shape.length > 2) {
    throw new MusterError('BAD_DATA', `${targets.name} does not hold targets`, {
      why: `its shape is (${targets.shape.join(', ')}); targets are (samples,) or (samples, width)`,
      fix: 'give one label, or one row of values, for each sample',
    });
  }
  if (samples !== labelled) {
    throw new MusterError('BAD_DATA', `${features.name} and ${targets.name} do not fit each other`, {
      why: `the one has ${samples} samples, the other ${labelled}`,
      fix: 'give one label for each sample, in the same order',
    });
  }
  return {
    name: features.name,
    samples,
    shape: sampleShape(features),
    features: features.elements,
    targets: targets.elements,
    targetWidth,
    wholeTargets: targets.whole,
  };
}

/** [n, f] are rows of features, [n, h, w] images of one channel, [n, c, h, w] images. */
function sampleShape({ name, shape }: NamedArray): readonly number[] {
  const [, first = 0, second = 0, last = 0] = shape;
  if (shape.length === 2) return [first];
  if (shape.length === 3) return [1, first, second];
  if (shape.length === 4 && !(IMAGE_CHANNELS.includes(last) && first > 4)) return [first, second, last];
  const channelsLast = shape.length === 4;
  throw new MusterError('BAD_DATA', `${name} does not hold samples`, {
    why: `its shape is (${shape.join(', ')})${channelsLast ? ', with the channels last' : ''}; known are (samples, features), (samples, height, width) and (samples, channels, height, width)`,
    fix: channelsLast
      ? 'np.save with np.ascontiguousarray(a.transpose(0, 3, 1, 2))'
      : 'np.save with a.reshape(a.shape[0], -1)',
  });
}
