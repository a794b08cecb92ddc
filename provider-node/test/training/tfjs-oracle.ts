import * as tf from '@tensorflow/tfjs';
import { elementCount, type Layer, type Model, outputCount, parameters } from '@muster/shared';
import type { FloatTensor, FloatTensors } from './run-graph.ts';

export interface Step {
  readonly loss: number;
  readonly gradient: Float32Array;
}

/**
 * A training step by TensorFlow.js, whose gradients were written by others: the layers as its operations on NHWC images, and the
 * gradient by the flat vector, transposes included, by its own differentiation.
 */
export function tfjsStep(model: Model, inputs: FloatTensors): Step {
  return tf.tidy(() => {
    const weights = tf.variable(tensor(inputs['weights']), true, 'weights');
    const { value, grads } = tf.variableGrads(() => loss(model, weights, inputs) as tf.Scalar);
    const [gradient] = Object.values(grads);
    const step = { loss: value.dataSync()[0] ?? Number.NaN, gradient: Float32Array.from(gradient!.dataSync()) };
    weights.dispose();
    return step;
  });
}

function loss(model: Model, weights: tf.Tensor, inputs: FloatTensors): tf.Tensor {
  const named = new Map(
    parameters(model).map(({ name, shape, offset }) => {
      const part = weights.slice([offset], [elementCount(shape)]);
      return [name, part.reshape([...shape])];
    }),
  );
  let mask = 0;
  const network = new Network(named, () => tensor(inputs[`mask:${mask++}`]));
  const output = network.apply(model.layers, tensor(inputs['X']), '');
  const target = tensor(inputs['Y']);
  if (model.loss === 'crossEntropy') return target.mul(tf.logSoftmax(output)).sum().neg();
  return output.sub(target).square().sum().div(outputCount(model));
}

const tensor = ({ values, dims }: FloatTensor = { values: new Float32Array(), dims: [0] }): tf.Tensor =>
  tf.tensor(values, [...dims], 'float32');

/** Images are NCHW between the layers. */
class Network {
  readonly #weights: ReadonlyMap<string, tf.Tensor>;
  readonly #nextMask: () => tf.Tensor;

  constructor(weights: ReadonlyMap<string, tf.Tensor>, nextMask: () => tf.Tensor) {
    this.#weights = weights;
    this.#nextMask = nextMask;
  }

  apply(layers: readonly Layer[], x: tf.Tensor, prefix: string): tf.Tensor {
    return layers.reduce((value, layer, index) => this.#layer(layer, value, `${prefix}layers.${index}.`), x);
  }

  #layer(layer: Layer, x: tf.Tensor, prefix: string): tf.Tensor {
    const weight = (role: string): tf.Tensor => this.#weights.get(prefix + role) ?? tf.zeros([1]);
    switch (layer.type) {
      case 'dense':
        return tf.matMul(x, weight('weight')).add(weight('bias'));
      case 'conv': {
        const kernel = weight('weight').transpose<tf.Tensor4D>([2, 3, 1, 0]);
        return onImages(padded(x, layer), (image) => tf.conv2d(image, kernel, layer.stride, 'valid')).add(
          weight('bias').reshape([1, -1, 1, 1]),
        );
      }
      case 'maxPool':
        return onImages(x, (image) => tf.maxPool(image, layer.size, layer.stride ?? layer.size, 'valid'));
      case 'averagePool':
        return onImages(x, (image) => tf.avgPool(image, layer.size, layer.stride ?? layer.size, 'valid'));
      case 'globalAveragePool':
        return x.mean([2, 3]);
      case 'relu':
        return x.relu();
      case 'gelu':
        return x.mul(x.mul(Math.SQRT1_2).erf().add(1)).mul(0.5);
      case 'sigmoid':
        return x.sigmoid();
      case 'tanh':
        return x.tanh();
      case 'flatten':
        return x.reshape([x.shape[0] ?? 0, -1]);
      case 'layerNorm': {
        const { mean, variance } = tf.moments(x, [...x.shape.keys()].slice(1), true);
        return x.sub(mean).div(variance.add(1e-5).sqrt()).mul(weight('weight')).add(weight('bias'));
      }
      case 'dropout':
        return x.mul(this.#nextMask());
      case 'residual':
        return x.add(this.apply(layer.layers, x, prefix));
      default:
        return layer satisfies never;
    }
  }
}

const onImages = (x: tf.Tensor, operation: (image: tf.Tensor4D) => tf.Tensor): tf.Tensor =>
  operation(x.transpose([0, 2, 3, 1])).transpose([0, 3, 1, 2]);

interface Padding {
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number | 'same';
}

/** 'same' as TensorFlow defines it: ceil(length / stride) places, an odd zero at the end. */
function padded(x: tf.Tensor, { kernel, stride, padding }: Padding): tf.Tensor {
  const sides = x.shape.slice(2).map((length): [number, number] => {
    if (padding !== 'same') return [padding, padding];
    const total = Math.max(0, (Math.ceil(length / stride) - 1) * stride + kernel - length);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  });
  return tf.pad(x, [[0, 0], [0, 0], ...sides]);
}
