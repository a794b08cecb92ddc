export { closestOf } from './closest.ts';
export { table } from './table.ts';
export { backoffMs, type Backoff } from './backoff.ts';
export { systemClock, type Clock } from './clock.ts';
export {
  describeError,
  errorKinds,
  fromWireError,
  isErrorCode,
  isMusterError,
  MusterError,
  toWireError,
  type ErrorCode,
  type ErrorFacts,
  type WireError,
} from './errors.ts';
export { exitCode, type ExitCode } from './exit-codes.ts';
export {
  epochOf,
  firstLeaseOf,
  isBlockId,
  isProviderId,
  isSessionId,
  isTaskId,
  type BlockId,
  type ProviderId,
  type SessionId,
  type TaskId,
} from './ids.ts';
export { silentLogger, type Logger } from './logger.ts';
export {
  formatBytes,
  formatDuration,
  parseDurationMs,
  parseSizeBytes,
  parseWhole,
  plural,
  TIMER_MS_MAX,
} from './quantities.ts';
export { seededRandom, type Random } from './random.ts';
export { RecentLeases } from './recent-leases.ts';
export { isOn } from './switches.ts';
export { masked } from './secrets.ts';
export {
  channels,
  DEFAULT_HTTP_PORT,
  DEFAULT_PORT_BASE,
  isIpv6,
  PORT_BASE_RANGE,
  providerTopic,
  taskTopic,
  tcpAddress,
  type Channel,
  type Endpoint,
} from './protocol/channels.ts';
export { PROTOCOL_VERSION, versionMismatch } from './protocol/version.ts';
export {
  auditRow,
  auditSummary,
  type AuditReport,
  type AuditRow,
  type AuditSummary,
  type Finding,
} from './protocol/audit.ts';
export { decode, encode, HEADER_BYTES, sealed, sealOf, type Envelope, type Stamp } from './protocol/codec.ts';
export type { StepSplit, TrainingReport } from './protocol/training-report.ts';
export { limits } from './protocol/limits.ts';
export {
  brokerOffer,
  messages,
  type BrokerOffer,
  type DeviceFacts,
  type Fields,
  type HeldLease,
  type Message,
  type MessageType,
  type StoreOffer,
  type TileNotice,
} from './protocol/messages.ts';
export {
  durabilities,
  isTerminal,
  noBackbone,
  nodeStates,
  taskStates,
  type BackboneReport,
  type Durability,
  type ForecastPoint,
  type NodeShare,
  type NodeState,
  type NodeStatus,
  type TaskBrief,
  type TaskState,
  type TaskStatus,
} from './protocol/status.ts';
export {
  bytesOf,
  dtypes,
  elementsOf,
  isOperandDtype,
  operandDtypes,
  productDtype,
  zeros,
  type Dtype,
  type Elements,
  type OperandDtype,
} from './tensor/dtype.ts';
export { blockIdOf } from './tensor/block-hash.ts';
export { elementCount } from './tensor/shape.ts';
export {
  BLOCK_MAX_BYTES,
  blockCount,
  blockNumber,
  chunkRange,
  stripeRange,
  stripingOf,
  type Striping,
} from './tensor/stripes.ts';
export type { RoundBlock, RoundRules, RoundStart } from './tasks/rounds.ts';
export type { BlockNeed, BlockTable, LeasedBlocks, NodeFacts, Operand, TaskPlan, TaskType } from './tasks/task-type.ts';
export { parseMatrixMultSpec, stripingOfA, stripingOfB, type MatrixMultSpec } from './tasks/matrix-mult/spec.ts';
export { tileWork, type TileWork } from './tasks/matrix-mult/work.ts';
export { forecastMatrixMult } from './tasks/matrix-mult/forecast.ts';
export { checkEcho } from './tasks/echo/payload.ts';
export { parseEchoSpec, type EchoSpec } from './tasks/echo/spec.ts';
export { type EchoWork } from './tasks/echo/task-type.ts';
export { taskTypeNamed, taskTypes } from './tasks/registry.ts';
export {
  checkNpyLength,
  npyHeader,
  parseNpyHeader,
  parseNpyOperand,
  type NpyHeader,
  type NpyOperandHeader,
} from './tensor/npy.ts';
export {
  blockByteRanges,
  copyBlock,
  placeTile,
  type ByteRanges,
  type Matrix,
  type Region,
  type StoredMatrix,
} from './tensor/blocks.ts';
export {
  convolution,
  matrixProduct,
  RESIDENT_B,
  wideProduct,
  type ProductTypes,
  type ResidentShape,
} from './onnx/graphs.ts';
export { evaluation, exportModel, forward, trainingStep } from './onnx/training-graphs.ts';
export { readOnnx, type OnnxSummary, type OnnxValue } from './onnx/read-onnx.ts';
export type { GraphDevice } from './onnx/tape.ts';
export { modelJsonSchema, type Layer, type Model } from './model/description.ts';
export { dropouts, dropoutShapes, type Dropout } from './model/dropout-shapes.ts';
export { forwardFlops } from './model/flops.ts';
export { initialWeights } from './model/initial-weights.ts';
export { parameterCount, parameters, type Parameter } from './model/parameters.ts';
export { outputCount, parseModel } from './model/parse-model.ts';
export { presetModel, presets, type Preset } from './model/preset-model.ts';
export { Limiter } from './limiter.ts';
export { deferred, within, type Deferred } from './deferred.ts';
export { enrolmentKeys, ENDPOINTS_MAX, readJoinToken, writeJoinToken, type JoinToken } from './trust/join-token.ts';
export {
  fingerprintOf,
  derivedKeyPair,
  isKey,
  isPublicKey,
  keyPairOf,
  newKeyPair,
  sealBetween,
  type KeyPair,
} from './trust/keys.ts';
export {
  mayRequest,
  messageRights,
  reachOf,
  routeRoles,
  type HttpRoute,
  type Reach,
  type Rights,
  type HttpRole,
} from './trust/rights.ts';
export { isRole, roles, type Role } from './trust/role.ts';
export {
  announcementText,
  endpointsFor,
  isHeadOf,
  readSighting,
  type Announced,
  type FoundHead,
  type Sighting,
} from './trust/announcement.ts';
export { decodeZ85, encodeZ85 } from './trust/z85.ts';
export { adminActions, type AdminAction } from './protocol/administration.ts';
export {
  isTokenUsable,
  memberRecord,
  rosterRecord,
  tokenRecord,
  type ApiTokenRecord,
  type IssuedToken,
  type Member,
  type RosterRecord,
} from './trust/roster-record.ts';
export {
  featureCount,
  parseSampleLayout,
  sampleBlocks,
  sampleBytes,
  sampleLayout,
  samplesOfBlock,
  samplesPerBlock,
  targetCount,
  targetWidth,
  type Features,
  type SampleLayout,
  type SampleShape,
  type SampleTarget,
  type Targets,
} from './samples/layout.ts';
export { packBlock, viewBlock, type BlockView, type Samples } from './samples/block.ts';
export { gatherBatch, type Batch, type Gathering } from './samples/gather.ts';
export {
  readSafetensors,
  readSafetensorsMetadata,
  safetensorsDtypes,
  writeSafetensors,
  type Safetensors,
  type SafetensorsDtype,
  type StoredTensor,
} from './tensor/safetensors.ts';
export { cutBatch, virtualShards } from './training/batch-cut.ts';
export {
  CHECKPOINT_FORMAT,
  checkpointTensors,
  parseCheckpoint,
  type Checkpoint,
  type TrainedOn,
  type CheckpointOf,
  type ParameterPlace,
} from './training/checkpoint.ts';
export { clipByGlobalNorm, globalNorm } from './training/clip.ts';
export { parseCompression, type Compression } from './training/compression.ts';
export { fillMask, type MaskKey } from './training/dropout-mask.ts';
export { EpochOrder } from './training/epoch-order.ts';
export { ErrorFeedback } from './training/error-feedback.ts';
export { decodeGradient, encodedBytes, encodeGradient, type DecodeTarget } from './training/gradient-codec.ts';
export { GradientSum, type SampleMean, type SampleSum } from './training/gradient-sum.ts';
export { learningRateAt } from './training/learning-rate.ts';
export { createOptimizer, type Optimizer, type OptimizerRates, type OptimizerState } from './training/optimizer.ts';
export {
  keepsResidual,
  optimizerNames,
  parseTrainingOptions,
  type OptimizerName,
  type TrainingOptions,
} from './training/options.ts';
export { OuterOptimizer } from './training/outer-optimizer.ts';
export { robustMean, shardsNeeded, type RobustAggregator } from './training/robust-mean.ts';
export {
  readShardResult,
  SHARD_HEADER_BYTES,
  shardHeader,
  shardResultBytesMax,
  type ShardHeader,
  type ShardResult,
} from './training/shard-result.ts';
export { topKEntries, type TopKEntries } from './training/top-k.ts';
export { MODEL_OPERAND, WEIGHTS_OPERAND } from './tasks/train/task-type.ts';
export { parseTrainSpec, type TrainSpec } from './tasks/train/spec.ts';
export { type Shard, type TrainLayout, type TrainRound } from './tasks/train/round.ts';
export { trainWork, type TrainWork } from './tasks/train/work.ts';
export { inferElementBytes, parseInferSpec, rowBytes, type InferPort, type InferSpec } from './tasks/infer/spec.ts';
export { inferWork, type InferWork } from './tasks/infer/work.ts';
export { npyArrayHeader } from './tensor/npy-array-header.ts';
export { descrText, NPY_HEADER_MAX_BYTES, readNpyFields } from './tensor/npy-fields.ts';
export { parseNpyArray, type NumberArray, type Numbers } from './tensor/npy-array.ts';
export { parseIdx, type IdxArray } from './samples/idx.ts';
export { CsvReader } from './samples/csv.ts';
export { type CsvTable } from './samples/csv-rows.ts';
export {
  DIGIT_SIDE,
  syntheticDigits,
  type SyntheticDigits,
  type SyntheticOptions,
} from './samples/synthetic-digits.ts';
export { momentNames } from './training/moments.ts';
export { parseSavedProgress, PROGRESS_WINDOW, type SavedProgress } from './training/saved-progress.ts';
export type { GraphRunner, GraphTensor, StepOutputs } from './training/graph-runner.ts';
export { microBatches } from './training/micro-batches.ts';
export {
  ShardGradient,
  type LocalSteps,
  type ShardGraphs,
  type ShardInputs,
  type ShardSums,
  type ShardWork,
} from './training/shard-gradient.ts';
