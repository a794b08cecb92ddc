export { login } from './login.ts';
export {
  ClusterClient,
  connectClient,
  type ClientOptions,
  type EchoRequest,
  type MultiplyRequest,
  type TaskRequest,
} from './cluster-client.ts';
export { TaskHandle, type ProgressListener } from './task-handle.ts';
export { MemoryMatrix, type MatrixShape, type MatrixSource, type Shaped, type Span } from './operands/matrix-source.ts';
export { NpyMatrixFile } from './operands/npy-matrix-file.ts';
export { RandomMatrix } from './operands/random-matrix.ts';
export { type MatrixRef, type Role } from './operands/matrix-ref.ts';
export { type Operand } from './operands/operand-upload.ts';
export { type ProductOperands } from './product.ts';
export { MemorySink, type MatrixSink, type ResultShape } from './results/matrix-sink.ts';
export { NpyResultFile } from './results/npy-result-file.ts';
