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
export { formatBytes, formatDuration, parseDurationMs, parseSizeBytes, parseWhole } from './quantities.ts';
export { seededRandom, type Random } from './random.ts';
export { RecentLeases } from './recent-leases.ts';
export {
  channels,
  DEFAULT_HTTP_PORT,
  DEFAULT_PORT_BASE,
  PROTOCOL_VERSION,
  providerTopic,
  taskTopic,
  tcpAddress,
  type Channel,
  type Endpoint,
} from './protocol/channels.ts';
export {
  auditRow,
  auditSummary,
  type AuditReport,
  type AuditRow,
  type AuditSummary,
  type Finding,
} from './protocol/audit.ts';
export { decode, encode, HEADER_BYTES, sealed, sealOf, type Envelope, type Stamp } from './protocol/codec.ts';
export { limits } from './protocol/limits.ts';
export {
  messages,
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
export {
  BLOCK_MAX_BYTES,
  blockCount,
  blockNumber,
  chunkRange,
  stripeRange,
  stripingOf,
  type Striping,
} from './tensor/stripes.ts';
export type { BlockNeed, BlockTable, NodeFacts, Operand, TaskPlan, TaskType } from './tasks/task-type.ts';
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
  NPY_HEADER_MAX_BYTES,
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
export { deferred, within, type Deferred } from './deferred.ts';
export { enrolmentKeys, ENDPOINTS_MAX, readJoinToken, writeJoinToken, type JoinToken } from './trust/join-token.ts';
export {
  fingerprintOf,
  derivedKeyPair,
  isKey,
  keyPairOf,
  newKeyPair,
  sealBetween,
  type KeyPair,
} from './trust/keys.ts';
export {
  mayVisit,
  messageRights,
  reachOf,
  routeVisitors,
  type HttpRoute,
  type Reach,
  type Rights,
  type Visitor,
} from './trust/rights.ts';
export { isRole, roles, type Role } from './trust/role.ts';
export { decodeZ85, encodeZ85 } from './trust/z85.ts';
export { adminActions, type AdminAction } from './protocol/administration.ts';
export {
  isTokenUsable,
  memberRecord,
  rosterRecord,
  tokenRecord,
  type IssuedToken,
  type Member,
  type RosterRecord,
} from './trust/roster-record.ts';
