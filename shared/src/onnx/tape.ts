import type { GraphBuilder } from './graph-builder.ts';

/** 'cpu' may use every standard operator; 'gpu' only those that ONNX Runtime runs on WebGPU. */
export type GraphDevice = 'cpu' | 'gpu';

/** A tensor of the network that is being recorded. */
export interface Value {
  readonly name: string;
  /** Shape of one sample, or of the whole tensor if it is a weight. */
  readonly shape: readonly number[];
  /** Is its gradient needed, because it depends on a weight? False for the samples, and for everything in a graph that only infers. */
  readonly wanted: boolean;
}

/** One input of an operation, and how the gradient by it follows from the gradient by the output. */
export interface Pullback {
  readonly input: Value;
  readonly gradient: (dy: string) => string;
}

interface Recording {
  readonly output: Value;
  readonly pullbacks: readonly Pullback[];
}

/**
 * Reverse-mode differentiation: operations are recorded as they are added to the graph; `gradients` walks back over them and adds the nodes
 * of the chain rule, only for values that depend on a weight (so the first layer's input has none).
 */
export class Tape {
  readonly graph: GraphBuilder;
  readonly device: GraphDevice;
  readonly #recordings: Recording[] = [];

  constructor(graph: GraphBuilder, device: GraphDevice) {
    this.graph = graph;
    this.device = device;
  }

  /** The value `name`, computed from the inputs of `pullbacks`. */
  record(name: string, shape: readonly number[], pullbacks: readonly Pullback[]): Value {
    const output = { name, shape, wanted: pullbacks.some(({ input }) => input.wanted) };
    if (output.wanted) this.#recordings.push({ output, pullbacks });
    return output;
  }

  /** Maps each value's name to the name of its gradient; `dy` is the gradient of `output`. */
  gradients(output: Value, dy: string): ReadonlyMap<string, string> {
    const sums = new Map([[output.name, dy]]);
    for (const { output: recorded, pullbacks } of this.#recordings.toReversed()) {
      const above = sums.get(recorded.name);
      if (above !== undefined) this.#pull(above, pullbacks, sums);
    }
    return sums;
  }

  #pull(dy: string, pullbacks: readonly Pullback[], sums: Map<string, string>): void {
    for (const { input, gradient } of pullbacks) {
      if (!input.wanted) continue;
      const before = sums.get(input.name);
      const term = gradient(dy);
      sums.set(input.name, before === undefined ? term : this.graph.add('Add', [before, term]));
    }
  }
}
