import { seededRandom } from '../random.ts';
import type { Layer, Model } from './description.ts';
import { parameterCount, parameters } from './parameters.ts';
import { elementCount } from '../tensor/shape.ts';

/**
 * The initial flat weight vector, bit-identical for a seed on every machine: it takes only arithmetic that IEEE 754 rounds exactly. Weights
 * are uniform with variance 2/fanIn in networks with ReLU or GELU (He et al. 2015, arXiv 1502.01852), 1/fanIn in others (LeCun et al.
 * 1998); scales are 1, biases 0.
 */
export function initialWeights(model: Model, seed: number): Float32Array<ArrayBuffer> {
  const random = seededRandom(seed);
  const weights = new Float32Array(parameterCount(model));
  const variance = isRectified(model.layers) ? 2 : 1;
  for (const { kind, shape, offset, fanIn } of parameters(model)) {
    const part = weights.subarray(offset, offset + elementCount(shape));
    if (kind === 'scale') part.fill(1);
    if (kind === 'weight') fillUniform(part, Math.sqrt((3 * variance) / fanIn), random);
  }
  return weights;
}

const isRectified = (layers: readonly Layer[]): boolean =>
  layers.some((layer) => {
    if (layer.type === 'residual') return isRectified(layer.layers);
    return layer.type === 'relu' || layer.type === 'gelu';
  });

/** Uniform in [-bound, bound), whose variance is bound^2 / 3. */
function fillUniform(part: Float32Array, bound: number, random: () => number): void {
  for (let i = 0; i < part.length; i++) part[i] = (2 * random() - 1) * bound;
}
