export { login } from './login.ts';
export {
  ClusterClient,
  connectClient,
  type ClientOptions,
  type EchoRequest,
  type InferRequest,
  type MultiplyRequest,
  type TaskRequest,
  type TrainRequest,
} from './cluster-client.ts';
export { TaskHandle, type ProgressListener } from './task-handle.ts';
export { MemoryMatrix, type MatrixShape, type MatrixSource, type Shaped, type Span } from './operands/matrix-source.ts';
export { NpyMatrixFile } from './operands/npy-matrix-file.ts';
export { RandomMatrix } from './operands/random-matrix.ts';
export { type MatrixRef, type OperandSide } from './operands/matrix-ref.ts';
export { type Operand } from './operands/matrix-blocks.ts';
export { type ProductOperands } from './product.ts';
export { MemorySink, type MatrixSink, type ResultShape } from './results/matrix-sink.ts';
export { NpyResultFile } from './results/npy-result-file.ts';
export { type DataSet, type DataSetOptions, type DataSplit } from './data-sets/data-set.ts';
export { openDataSet } from './data-sets/open-data-set.ts';
export { type TrainingHandle } from './training/training-handle.ts';
export { type CheckpointFile, type ModelWeights, type Weights } from './training/checkpoint-file.ts';
export { type SampleSet, type TrainingData } from './training/training-data.ts';
export { MemoryRows, type RowSink, type RowSource } from './inference/row-source.ts';
export { NpyRowFile } from './inference/npy-row-file.ts';
export { NpyRowSink } from './inference/npy-row-sink.ts';
