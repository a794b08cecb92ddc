export {
  freePortBase,
  LocalCluster,
  LocalProgram,
  type LocalClusterOptions,
  type Outcome,
  type Place,
  type Program,
} from './local-cluster.ts';
export { givenAgain, leasesGiven, type LeaseGiven } from './lease-log.ts';
export { skipBecause, type RegisterTest } from './skip-because.ts';
export { deviceFacts, echoSpec, matrixMultSpec, nodeFacts, trainingReport, trainSpec } from './builders.ts';
export { manualClock, type ManualClock } from './manual-clock.ts';
export { maxAbsError, naiveProduct, randomMatrix, type Operands, type ProductShape } from './matrices.ts';
export { NetworkNamespace } from './network-namespace.ts';
export { resolved } from './resolved.ts';
export { waitUntil, type Wait } from './wait-until.ts';
export { ClusterUnderTest } from './cluster-under-test.ts';
export { writeExactMatrix, wrongRows, type ProductFiles, type ExactMatrix } from './exact-matrices.ts';
export { TcpProxy, type ProxyOptions } from './tcp-proxy.ts';
export { TemporaryDirectories } from './temporary-directories.ts';
export { hasMulticast } from './multicast.ts';
