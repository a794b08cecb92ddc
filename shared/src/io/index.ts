export { Closers } from './closers.ts';
export { SendQueue, type Frames, type FrameSender } from './send-queue.ts';
export {
  serveFrames,
  startFramedProcess,
  type CallHandlers,
  type Calls,
  type FramedProcess,
  type FramedProcessOptions,
} from './framed-process.ts';
export { hashAt } from './hash-file.ts';
export { hashInSlices, type HashedFile } from './hash-in-slices.ts';
export { brokerTlsOptions, type BrokerTlsFlags } from './broker-tls-options.ts';
export { envOption } from './env-option.ts';
export { BROKER_URL, takeBrokerUrl } from './broker-url.ts';
export {
  fileVariable,
  readSecretFile,
  takeSecret,
  warnIfExposed,
  type SecretOption,
  type SecretSurroundings,
} from './secret-option.ts';
export { removeFile } from './remove-file.ts';
export { freeMemory } from './free-memory.ts';
export {
  incomingBlockName,
  incomingResultName,
  streamedResultPath,
  taskOfIncoming,
  taskOfIncomingBlock,
} from './result-name.ts';
export { defaultStateDirectory, makeStateDirectory } from './state-directory.ts';
export { writeFileAtomically } from './atomic-file.ts';
export { BlockStore, type BlockStoreOptions } from './block-store.ts';
export { diskFull, freeBytesIn, isDiskFull, systemCodeOf, withDiskErrors, type Write } from './disk-errors.ts';
export { offerStore, provesShared } from './local-files.ts';
export { addByteRange, coversAll, type ByteRangeSet } from './byte-ranges.ts';
export { type BlockChunk } from './partial-blocks.ts';
export { blockPath, incomingPath } from './store-paths.ts';
export { DirectoryLock } from './directory-lock.ts';
export { addConfigCommand, configurationOf, type ConfiguredValue, type ShownOptions } from './configuration.ts';
export { maskedLog, type LogDestination } from './masked-log.ts';
export { printResult } from './print-result.ts';
export { interruptions, jsonError, noSuchCommand, report, runProgram, untilSignal, versionIn } from './program.ts';
export { giveSpare, SpareStock, takeSpare, writeOverSpare } from './spare-files.ts';
export { overwriteFile, writePieces } from './write-pieces.ts';
export { loadKeyPair, parsePrivate } from './key-file.ts';
export { readPrivateFile, writePrivateFile } from './private-file.ts';
export {
  leaveLocalCredential,
  readLocalCredential,
  removeLocalCredential,
  type LocalCredential,
} from './local-credential.ts';
export { endpointOf, loadMembership, saveMembership, type Membership } from './membership-file.ts';
export {
  curveRoute,
  dialOptions,
  isLoopback,
  routeToHead,
  sameRoute,
  type CurveOptions,
  type HeadRoute,
  type RouteOptions,
} from './head-route.ts';
export { RequestClient, expectType, type RequestSocketClass } from './request-client.ts';
export { announce, discoverHeads, type Look, type MdnsOptions } from './mdns.ts';
export { enrol, type Applicant, type Enrolment } from './enrol.ts';
export { HandshakeWatch, firstHandshake, type SocketEvent } from './handshake.ts';
export { expectJoinToken, JOIN_TOKEN, takeJoinToken } from './join-line.ts';
