import {
  elementCount,
  type GraphTensor,
  initialWeights,
  outputCount,
  presetModel,
  seededRandom,
  type StepOutputs,
} from '@muster/shared';
import type { StepBackends } from '../backends/device.ts';
import type { StepBackend } from '../backends/step-backend.ts';

export interface VerifiedSteps {
  readonly steps: StepBackend;
  /** Why the CPU's steps are used in place of the device's; '' if they are not. */
  readonly fallback: string;
}

/** Largest difference to the CPU's gradient relative to its largest element: ten times what float32 rounding explains. */
const TOLERANCE = 1e-4;
const SAMPLES = 4;
/** Convolutions of 1 to 6 and 6 to 16 channels, pooling and dense layers: what GPU providers have been seen to get wrong. */
const MODEL = presetModel('lenet', { input: [1, 12, 12], classes: 10 });

/** The device's steps if they match the CPU's on a known input, else the CPU's. */
export async function verifiedSteps({ device, cpu }: StepBackends): Promise<VerifiedSteps> {
  if (device.kind === 'cpu') return { steps: cpu, fallback: '' };
  try {
    compare(await knownStep(device), await knownStep(cpu));
    return { steps: device, fallback: '' };
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('\n', 1);
    return { steps: cpu, fallback: `${device.kind} does not train: ${reason}` };
  }
}

async function knownStep(backend: StepBackend): Promise<StepOutputs> {
  const graph = await backend.open(MODEL, 'gradient', { deterministic: false });
  try {
    return await graph.run(knownInputs());
  } finally {
    graph.release();
  }
}

/** Half of each image is one grey, so that pooling windows contain ties. */
function knownInputs(): Record<string, GraphTensor> {
  const draw = seededRandom(7);
  const weights = initialWeights(MODEL, 7);
  const X = tensor([SAMPLES, ...MODEL.input], (at) => (Math.floor(at / 72) % 2 === 0 ? 0.5 : draw()));
  const classes = outputCount(MODEL);
  const Y = tensor([SAMPLES, classes], (at) => (at % (classes + 1) === 0 ? 1 : 0));
  return { weights: { elements: weights, dims: [weights.length] }, X, Y };
}

function tensor(dims: readonly number[], value: (at: number) => number): GraphTensor {
  const length = elementCount(dims);
  return { dims, elements: Float32Array.from({ length }, (_, at) => value(at)) };
}

function compare(answer: StepOutputs, expected: StepOutputs): void {
  expectClose('its loss', answer.loss, expected.loss);
  expectClose('its gradient', answer.gradient, expected.gradient);
  if (answer.correct[0] !== expected.correct[0]) throw new Error('it counts right answers wrongly');
}

/** NaN fails: it is not within the tolerance. */
function expectClose(name: string, answer?: Float32Array, expected: Float32Array = new Float32Array()): void {
  if (answer?.length !== expected.length) throw new Error(`${name} has ${answer?.length ?? 0} elements`);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = expected.reduce((most, value, at) => Math.max(most, Math.abs(value - answer[at]!)), 0);
  if (worst <= TOLERANCE * largest) return;
  throw new Error(`${name} is off by ${(worst / largest).toPrecision(2)}, ${TOLERANCE} is allowed`);
}
