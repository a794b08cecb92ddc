import type { PlacedLayer } from '../model/place-layers.ts';
import { convWindow, poolWindow, windowsOver } from '../model/windows.ts';
import { MusterError } from '../errors.ts';
import { activation } from './ops/activation.ts';
import { convolution } from './ops/convolution.ts';
import { dense } from './ops/dense.ts';
import { add, dropout, flatten } from './ops/elementwise.ts';
import { layerNorm } from './ops/layer-norm.ts';
import { averagePool, globalAveragePool, maxPool } from './ops/pooling.ts';
import type { Tape, Value } from './tape.ts';

export interface NetworkInputs {
  /** Weights by the names of the parameters. */
  readonly weights: ReadonlyMap<string, Value>;
  /** Name of the next dropout layer's mask; undefined where nothing is dropped. */
  readonly nextMask: () => string | undefined;
}

/** Records the layers one after the other, from the samples to the output. */
export function network(
  tape: Tape,
  x: Value,
  { layers, ...inputs }: NetworkInputs & { layers: readonly PlacedLayer[] },
): Value {
  return layers.reduce((value, placed) => applyLayer(tape, value, { ...inputs, placed }), x);
}

function applyLayer(tape: Tape, x: Value, { placed, ...inputs }: NetworkInputs & { placed: PlacedLayer }): Value {
  const { layer, name, inner } = placed;
  const weight = (role: 'weight' | 'bias'): Value => weightNamed(inputs, `${name}.${role}`);
  switch (layer.type) {
    case 'dense':
      return dense(tape, x, { weight: weight('weight'), bias: layer.bias ? weight('bias') : undefined });
    case 'conv':
      return convolution(tape, x, {
        weight: weight('weight'),
        bias: layer.bias ? weight('bias') : undefined,
        windows: windowsOver(x.shape, convWindow(layer)),
      });
    case 'maxPool':
      return maxPool(tape, x, windowsOver(x.shape, poolWindow(layer)));
    case 'averagePool':
      return averagePool(tape, x, windowsOver(x.shape, poolWindow(layer)));
    case 'globalAveragePool':
      return globalAveragePool(tape, x);
    case 'relu':
    case 'gelu':
    case 'sigmoid':
    case 'tanh':
      return activation(tape, x, layer.type);
    case 'flatten':
      return flatten(tape, x);
    case 'layerNorm':
      return layerNorm(tape, x, { scale: weight('weight'), bias: weight('bias') });
    case 'dropout': {
      const mask = inputs.nextMask();
      return mask === undefined ? x : dropout(tape, x, mask);
    }
    case 'residual':
      return add(tape, x, network(tape, x, { ...inputs, layers: inner }));
    default:
      return layer satisfies never;
  }
}

function weightNamed({ weights }: NetworkInputs, name: string): Value {
  const value = weights.get(name);
  if (value === undefined) throw new MusterError('BUG', `the network has no weight ${name}`);
  return value;
}
