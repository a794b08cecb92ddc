import type { Layer, Model } from './description.ts';
import { parseModel } from './parse-model.ts';

export const presets = ['mlp', 'lenet'] as const;
export type Preset = (typeof presets)[number];

interface PresetSizes {
  /** [channels, height, width]; the LeNet needs at least 12 x 12. */
  readonly input: readonly number[];
  readonly classes: number;
}

/**
 * Networks for small images. 'mlp' has two hidden layers of 256 and 128 units (235,146 parameters for 1x28x28 and ten classes),
 * 'lenet' is LeNet-5 (LeCun et al. 1998) with ReLU and max pooling (61,706).
 * @throws MusterError BAD_MODEL if the input is too small
 */
export const presetModel = (name: Preset, { input, classes }: PresetSizes): Model =>
  parseModel({ name, input, layers: layersOf[name](classes), loss: 'crossEntropy' });

const dense = (units: number): Layer => ({ type: 'dense', units, bias: true });
const relu: Layer = { type: 'relu' };
const flatten: Layer = { type: 'flatten' };

/** Convolution by 5 x 5, ReLU, and the maximum of every 2 x 2. */
const stage = (filters: number, padding: number): Layer[] => [
  { type: 'conv', filters, kernel: 5, stride: 1, padding, bias: true },
  relu,
  { type: 'maxPool', size: 2 },
];

const layersOf: Record<Preset, (classes: number) => Layer[]> = {
  mlp: (classes) => [flatten, dense(256), relu, dense(128), relu, dense(classes)],
  lenet: (classes) => [...stage(6, 2), ...stage(16, 0), flatten, dense(120), relu, dense(84), relu, dense(classes)],
};
