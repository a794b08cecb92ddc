import type { Layer } from '@muster/shared';
import type * as TensorFlow from '@tensorflow/tfjs';
import type { Tfjs } from './load-tfjs.ts';

type Tensor = TensorFlow.Tensor;
type Image = TensorFlow.Tensor4D;

export interface NetworkInputs {
  /** Parameters by name, each in its shape. */
  readonly weights: ReadonlyMap<string, Tensor>;
  /** Masks of the dropout layers in turn, [N, ...shape]; undefined where nothing is dropped. */
  readonly nextMask: () => Tensor | undefined;
}

/**
 * The layers of a model as TensorFlow operations. TensorFlow takes images as NHWC: they are transposed at the input and back before
 * flattening, so that weights and flattened values keep the order used everywhere else.
 */
export class TfjsNetwork {
  readonly #tf: Tfjs;
  readonly #inputs: NetworkInputs;

  constructor(tf: Tfjs, inputs: NetworkInputs) {
    this.#tf = tf;
    this.#inputs = inputs;
  }

  /** Outputs for a batch of samples; images are NCHW. */
  output(layers: readonly Layer[], x: Tensor): Tensor {
    return this.#apply(layers, channelsLast(x), '');
  }

  #apply(layers: readonly Layer[], x: Tensor, prefix: string): Tensor {
    return layers.reduce((value, layer, index) => this.#layer(layer, value, `${prefix}layers.${index}`), x);
  }

  #layer(layer: Layer, x: Tensor, name: string): Tensor {
    const tf = this.#tf;
    switch (layer.type) {
      case 'dense':
        return this.#plusBias(tf.matMul(x, this.#weight(name)), name);
      case 'conv':
        return this.#plusBias(this.#convolve(layer, x as Image, name), name);
      case 'maxPool':
        return tf.maxPool(x as Image, layer.size, layer.stride ?? layer.size, 'valid');
      case 'averagePool':
        return tf.avgPool(x as Image, layer.size, layer.stride ?? layer.size, 'valid');
      case 'globalAveragePool':
        return x.mean([1, 2]);
      case 'relu':
      case 'sigmoid':
      case 'tanh':
        return x[layer.type]();
      case 'gelu':
        return x.mul(x.mul(Math.SQRT1_2).erf().add(1)).mul(0.5);
      case 'flatten':
        return channelsFirst(x).reshape([x.shape[0] ?? 0, -1]);
      case 'layerNorm':
        return this.#normalize(x, name);
      case 'dropout':
        return this.#drop(x);
      case 'residual':
        return x.add(this.#apply(layer.layers, x, `${name}.`));
      default:
        return layer satisfies never;
    }
  }

  #weight(name: string): Tensor {
    return this.#inputs.weights.get(`${name}.weight`)!;
  }

  /** Channels and units are the last dimension, so the bias broadcasts. */
  #plusBias(x: Tensor, name: string): Tensor {
    const bias = this.#inputs.weights.get(`${name}.bias`);
    return bias ? x.add(bias) : x;
  }

  #convolve({ stride, padding }: Layer & { type: 'conv' }, x: Image, name: string): Tensor {
    const filters = this.#weight(name).transpose<Image>([2, 3, 1, 0]);
    if (padding === 'same') return this.#tf.conv2d(x, filters, stride, 'same');
    const zeros: [number, number] = [padding, padding];
    const padded = padding === 0 ? x : this.#tf.pad(x, [[0, 0], zeros, zeros, [0, 0]]);
    return this.#tf.conv2d(padded, filters, stride, 'valid');
  }

  #normalize(x: Tensor, name: string): Tensor {
    const { mean, variance } = this.#tf.moments(x, [...x.shape.keys()].slice(1), true);
    const scale = channelsLast(this.#weight(name).expandDims());
    const bias = channelsLast(this.#inputs.weights.get(`${name}.bias`)!.expandDims());
    return x.sub(mean).div(variance.add(EPSILON).sqrt()).mul(scale).add(bias);
  }

  #drop(x: Tensor): Tensor {
    const mask = this.#inputs.nextMask();
    return mask ? x.mul(channelsLast(mask)) : x;
  }
}

/** As in onnx/ops/layer-norm.ts. */
const EPSILON = 1e-5;

const channelsLast = (x: Tensor): Tensor => (x.rank === 4 ? x.transpose([0, 2, 3, 1]) : x);

const channelsFirst = (x: Tensor): Tensor => (x.rank === 4 ? x.transpose([0, 3, 1, 2]) : x);
