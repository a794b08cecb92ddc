import {
  elementCount,
  type GraphTensor,
  type Model,
  type Parameter,
  parameters,
  type StepOutputs,
} from '@muster/shared';
import type * as TensorFlow from '@tensorflow/tfjs';
import type { OpenGraph, StepBackend } from '../step-backend.ts';
import type { Tfjs } from './load-tfjs.ts';
import { TfjsNetwork } from './tfjs-network.ts';

type Tensor = TensorFlow.Tensor;
type Inputs = Readonly<Record<string, GraphTensor>>;

/** Training steps by TensorFlow's automatic differentiation, with the inputs and outputs of the graphs of onnx/training-graphs.ts. */
export const tfjsSteps = (tf: Tfjs): StepBackend => ({
  kind: 'tfjs',
  open: async (model, kind) => (kind === 'gradient' ? openStep(tf, model) : openEvaluation(tf, model)),
});

interface Program {
  readonly tf: Tfjs;
  readonly model: Model;
  readonly places: readonly Parameter[];
}

function openStep(tf: Tfjs, model: Model): OpenGraph {
  const program = { tf, model, places: parameters(model) };
  return {
    run: (inputs) => read(tf.tidy(() => differentiate(program, inputs))),
    release: () => undefined,
  };
}

function openEvaluation(tf: Tfjs, model: Model): OpenGraph {
  const program = { tf, model, places: parameters(model) };
  return {
    run: (inputs) => read(tf.tidy(() => losses(program, weightsOf(program, inputs), inputs))),
    release: () => undefined,
  };
}

type Losses = { readonly loss: Tensor; readonly correct: Tensor };
type Sums = Losses & { readonly gradient: Tensor };

function differentiate(program: Program, inputs: Inputs): Sums {
  const { tf } = program;
  const kept: Tensor[] = [];
  const lossOf = (...weights: Tensor[]): TensorFlow.Scalar => {
    const { loss, correct } = losses(program, weights, inputs);
    kept.push(tf.keep(correct));
    return loss as TensorFlow.Scalar;
  };
  const { value: loss, grads } = tf.valueAndGrads(lossOf)(weightsOf(program, inputs));
  // The clone belongs to the surrounding tidy; kept tensors do not, so they are disposed here.
  const correct = kept[0]!.clone();
  for (const tensor of kept) tensor.dispose();
  return { loss, correct, gradient: tf.concat(grads.map((gradient) => gradient.flatten())) };
}

/** The parameters in their shapes, in the order of the flat vector. */
const weightsOf = ({ tf, places }: Program, { weights }: Inputs): Tensor[] =>
  places.map(({ shape, offset }) => {
    const length = elementCount(shape);
    return tf.tensor(weights!.elements.subarray(offset, offset + length), [...shape]);
  });

function losses({ tf, model, places }: Program, weights: readonly Tensor[], inputs: Inputs): Losses {
  const [X, Y] = [tensorOf(tf, inputs['X']!), tensorOf(tf, inputs['Y']!)];
  let mask = 0;
  const nextMask = (): Tensor | undefined => {
    const given = inputs[`mask:${mask++}`];
    return given && tensorOf(tf, given);
  };
  const named = new Map(places.map(({ name }, at) => [name, weights[at]!]));
  const output = new TfjsNetwork(tf, { weights: named, nextMask }).output(model.layers, X);
  if (model.loss === 'crossEntropy') return { loss: crossEntropy(tf, output, Y), correct: rightOnes(tf, output, Y) };
  const width = output.shape[1] ?? 1;
  return { loss: output.sub(Y).square().sum().div(width), correct: tf.scalar(0) };
}

const crossEntropy = (tf: Tfjs, output: Tensor, Y: Tensor): Tensor => Y.mul(tf.logSoftmax(output)).sum().neg();

/** Rows whose target is all zeros are not counted. */
function rightOnes(tf: Tfjs, output: Tensor, Y: Tensor): Tensor {
  const hit = output.argMax(1).equal(Y.argMax(1));
  return tf.logicalAnd(hit, Y.max(1).greater(0)).sum();
}

/** May share memory with `elements`; the tensor does not outlive the run. */
const tensorOf = (tf: Tfjs, { elements, dims }: GraphTensor): Tensor => tf.tensor(elements, [...dims]);

async function read({ loss, correct, ...more }: Losses | Sums): Promise<StepOutputs> {
  const outputs = { loss: await take(loss), correct: await take(correct) };
  return 'gradient' in more ? { ...outputs, gradient: await take(more.gradient) } : outputs;
}

async function take(tensor: Tensor): Promise<Float32Array> {
  const values = await tensor.data();
  tensor.dispose();
  return values instanceof Float32Array ? values : Float32Array.from(values);
}
