import { MusterError } from '../errors.ts';
import type { Model } from '../model/description.ts';
import { dropoutShapes } from '../model/dropout-shapes.ts';
import { parameterCount, parameters } from '../model/parameters.ts';
import { outputCount } from '../model/parse-model.ts';
import { placeLayers } from '../model/place-layers.ts';
import { elementCount } from '../tensor/shape.ts';
import { bytesOf } from '../tensor/dtype.ts';
import { GraphBuilder } from './graph-builder.ts';
import { network } from './network.ts';
import { losses, type Loss } from './ops/loss.ts';
import { Tape, type GraphDevice, type Value } from './tape.ts';
import type { ValueInfo } from './writer.ts';

/**
 * The graphs that train, evaluate and run a model: standard operators of opset 17, everything float32, any number N of samples.
 *
 * | input     | shape           |                                                          |
 * |-----------|-----------------|----------------------------------------------------------|
 * | `weights` | [P]             | the flat vector, laid out as `parameters(model)` says     |
 * | `X`       | [N, ...input]   | samples                                                  |
 * | `Y`       | [N, outputs]    | targets: one-hot (or probabilities), or values to regress |
 * | `mask:k`  | [N, ...shape]   | for the k-th dropout layer: 0, or 1 / (1 - rate)          |
 */

/** One step: outputs `loss` [1] and `gradient` [P], both sums over the samples, and `correct` [1], the number of right arg maxes. */
export function trainingStep(model: Model, { device }: { device: GraphDevice }): Uint8Array<ArrayBuffer> {
  const tape = new Tape(new GraphBuilder(), device);
  const masks = dropoutShapes(model).map((shape, k) => float32(`mask:${k}`, ['N', ...shape]));
  const weights = slicedWeights(tape.graph, { model, wanted: true });
  const output = record(tape, model, { weights, masks: masks.map(({ name }) => name) });
  const { gradient } = addLoss(tape.graph, model, output);
  addFlatGradient(tape.graph, weights, tape.gradients(output, gradient()));
  return tape.graph.encode({
    name: `${model.name}: training step`,
    inputs: [weightsInput(model), samplesInput(model), targetsInput(model), ...masks],
    outputs: [...lossOutputs, float32('gradient', [parameterCount(model)])],
  });
}

/** Outputs `loss` and `correct` as of `trainingStep`, without dropout. */
export function evaluation(model: Model): Uint8Array<ArrayBuffer> {
  const tape = new Tape(new GraphBuilder(), 'gpu');
  addLoss(tape.graph, model, record(tape, model, { weights: slicedWeights(tape.graph, { model, wanted: false }) }));
  return tape.graph.encode({
    name: `${model.name}: evaluation`,
    inputs: [weightsInput(model), samplesInput(model), targetsInput(model)],
    outputs: lossOutputs,
  });
}

/** Output `output` [N, outputs]: with crossEntropy the logits, of which softmax makes probabilities. */
export function forward(model: Model): Uint8Array<ArrayBuffer> {
  const tape = new Tape(new GraphBuilder(), 'gpu');
  const weights = slicedWeights(tape.graph, { model, wanted: false });
  return encodeForward(tape, model, { weights, inputs: [weightsInput(model), samplesInput(model)] });
}

/**
 * `forward` with the weights inside, as initializers named like the parameters: a file that any ONNX runtime opens.
 * @throws MusterError SHAPE_MISMATCH unless there are as many weights as parameters
 */
export function exportModel(model: Model, weights: Float32Array): Uint8Array<ArrayBuffer> {
  checkLength(model, weights);
  const tape = new Tape(new GraphBuilder(), 'gpu');
  const values = parameters(model).map(({ name, shape, offset }): Value => {
    const raw = bytesOf(weights.subarray(offset, offset + elementCount(shape)));
    tape.graph.initializer({ name, type: 'float32', dims: shape, raw });
    return { name, shape, wanted: false };
  });
  return encodeForward(tape, model, { weights: byName(values), inputs: [samplesInput(model)] });
}

type Weights = ReadonlyMap<string, Value>;

/** The layers, from `X` to the output; without masks nothing is dropped. */
function record(tape: Tape, model: Model, { weights, masks = [] }: { weights: Weights; masks?: string[] }): Value {
  const names = masks.values();
  return network(
    tape,
    { name: 'X', shape: model.input, wanted: false },
    { layers: placeLayers(model.layers, model.input), weights, nextMask: () => names.next().value },
  );
}

function encodeForward(
  tape: Tape,
  model: Model,
  { weights, inputs }: { weights: Weights; inputs: readonly ValueInfo[] },
): Uint8Array<ArrayBuffer> {
  tape.graph.addOutput('output', 'Identity', { inputs: [record(tape, model, { weights }).name] });
  return tape.graph.encode({ name: model.name, inputs, outputs: [float32('output', ['N', outputCount(model)])] });
}

/**
 * One Slice for each parameter and not one Split for all: a Split with many outputs needs more storage buffers than a WebGPU
 * shader may have.
 */
function slicedWeights(graph: GraphBuilder, { model, wanted }: { model: Model; wanted: boolean }): Weights {
  const values = parameters(model).map(({ name, shape, offset }) => {
    const end = offset + elementCount(shape);
    const part = graph.add('Slice', ['weights', graph.integers(offset), graph.integers(end)]);
    return { key: name, value: { name: graph.add('Reshape', [part, graph.integers(...shape)]), shape, wanted } };
  });
  return new Map(values.map(({ key, value }) => [key, value]));
}

const byName = (values: readonly Value[]): Weights => new Map(values.map((value) => [value.name, value]));

function addLoss(graph: GraphBuilder, model: Model, output: Value): Loss {
  const loss = losses[model.loss](graph, output);
  graph.addOutput('loss', 'Identity', { inputs: [loss.loss] });
  graph.addOutput('correct', 'Identity', { inputs: [loss.correct] });
  return loss;
}

/** Concatenates the gradients of the parameters in the order of the flat vector. */
function addFlatGradient(graph: GraphBuilder, weights: Weights, gradients: ReadonlyMap<string, string>): void {
  const parts = [...weights.values()].map(({ name }) => graph.add('Reshape', [gradientOf(name), graph.integers(-1)]));
  graph.addOutput('gradient', 'Concat', { inputs: parts, int: { axis: 0 } });
  function gradientOf(name: string): string {
    const gradient = gradients.get(name);
    if (gradient === undefined) throw new MusterError('BUG', `the loss does not depend on ${name}`);
    return gradient;
  }
}

function checkLength(model: Model, weights: Float32Array): void {
  const count = parameterCount(model);
  if (weights.length === count) return;
  throw new MusterError('SHAPE_MISMATCH', `the weights do not fit the model ${model.name}`, {
    why: `it has ${count} parameters, there are ${weights.length} weights`,
    fix: 'give the weights and the model of one training',
  });
}

const float32 = (name: string, dims: readonly (number | string)[]): ValueInfo => ({ name, type: 'float32', dims });
const weightsInput = (model: Model): ValueInfo => float32('weights', [parameterCount(model)]);
const samplesInput = (model: Model): ValueInfo => float32('X', ['N', ...model.input]);
const targetsInput = (model: Model): ValueInfo => float32('Y', ['N', outputCount(model)]);
const lossOutputs = [float32('loss', [1]), float32('correct', [1])];
