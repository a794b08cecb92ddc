/** The port between training arithmetic and the runtime that runs the graphs of onnx/training-graphs.ts. */

/** float32, row-major. */
export interface GraphTensor {
  readonly elements: Float32Array;
  readonly dims: readonly number[];
}

export interface StepOutputs {
  /** Sum over the samples, [1]. */
  readonly loss: Float32Array;
  /** Right arg maxes, [1]. */
  readonly correct: Float32Array;
  /** Sum over the samples, [P]; an evaluation has none. */
  readonly gradient?: Float32Array;
}

/** A training step or an evaluation of one model. */
export interface GraphRunner {
  /** Inputs by the names of the graph. They are not kept; the outputs belong to the caller. */
  run(inputs: Readonly<Record<string, GraphTensor>>): Promise<StepOutputs>;
}
