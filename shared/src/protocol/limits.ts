/** Every limit with its reason; `docs/limits.md` is kept equal to this table by a test. */
export const limits = {
  nodesMax: { value: 50, unit: 'nodes', reason: 'the size that Muster is built and measured for' },
  dimensionMax: {
    value: 65_536,
    unit: 'rows or columns',
    reason: 'index arithmetic stays exact and tables stay small',
  },
  operandBytesMax: { value: 32 * 2 ** 30, unit: 'bytes', reason: 'one operand of 65,536 x 65,536 float64' },
  metaBytesMax: { value: 65_536, unit: 'bytes', reason: 'headers are small; anything larger is an attack or a bug' },
  chunkBytesMax: {
    value: 2 ** 20,
    unit: 'bytes',
    reason: 'large enough for full bandwidth, small enough that heartbeats are never behind a long frame',
  },
  framesMax: { value: 8, unit: 'frames', reason: 'in one body at the broker; a message of Muster has two' },
  messageBytesMax: { value: 4 * 2 ** 20, unit: 'bytes', reason: 'ZeroMQ drops a peer that sends a larger frame' },
  fetchWindow: { value: 8, unit: 'chunks', reason: 'measured best for chunk fetch: 2 GB/s on loopback' },
  fetchesUnderWay: {
    value: 32,
    unit: 'chunks',
    reason:
      'asked for by one provider, of all blocks together: enough for any link, and the head has no more of them in memory',
  },
  answersQueued: {
    value: 256,
    unit: 'messages',
    reason: 'for a client or provider that does not read them, at most 1 MiB each; ours never ask for as much',
  },
  leasesQueued: {
    value: 1000,
    unit: 'messages',
    reason: 'for a provider that does not read them; a shared operand that does not fit is fetched instead',
  },
  creditBatches: {
    value: 16,
    unit: 'batches',
    reason: 'a provider never holds more than this, so that a slow one cannot hoard',
  },
  echoCountMax: { value: 10_000_000, unit: 'subtasks', reason: 'state per subtask is kept in memory' },
  echoBytesMax: { value: 4096, unit: 'bytes', reason: 'the diagnostic measures dispatch, not bandwidth' },
  backboneMessageBytesMax: {
    value: 16 * 2 ** 20,
    unit: 'bytes',
    reason: 'RabbitMQ 4 takes no larger message unless told to; a larger one would close the channel',
  },
  backboneWindow: {
    value: 1000,
    unit: 'messages',
    reason: 'sent to the broker and not yet confirmed: measured best for confirmed messages a second',
  },
  backboneOutboxBytes: {
    value: 256 * 2 ** 20,
    unit: 'bytes',
    reason: 'descriptors kept while the broker is away; what is beyond is not mirrored and reported so',
  },
  backboneBlockOutboxBytes: {
    value: 128 * 2 ** 20,
    unit: 'bytes',
    reason: 'block chunks on their way to the broker; the block store keeps them anyway',
  },
  brokerCaBytesMax: {
    value: 32_768,
    unit: 'bytes',
    reason: "of the broker's authority, that the head hands to providers in the answer to their registration",
  },
  sampleBlocksMax: {
    value: 768,
    unit: 'blocks',
    reason: 'a lease names every block of its samples, and its header is at most 64 KiB',
  },
  checkpointBytesMax: {
    value: 2 * 2 ** 30,
    unit: 'bytes',
    reason: 'the weights and two moments of the largest model',
  },
  modelBytesMax: { value: 2 * 2 ** 30, unit: 'bytes', reason: 'what protobuf allows an ONNX file to be' },
  inferBlockBytesMax: {
    value: 16 * 2 ** 20,
    unit: 'bytes',
    reason: 'a block of rows is read and answered as a whole, so that a node needs little memory for it',
  },
  inferBlocksMax: {
    value: 65_536,
    unit: 'blocks of rows',
    reason: 'the head keeps a table of the blocks, and of who is to have which',
  },
  openTasksMax: { value: 1000, unit: 'tasks', reason: 'bounds the memory of the head' },
  tasksPerUser: {
    value: 100,
    unit: 'unfinished tasks',
    reason: 'of one submitter, unless head-node --max-tasks-per-user says otherwise: none takes all of openTasksMax',
  },
  bytesPerUser: {
    value: 32 * 2 ** 30,
    unit: 'bytes',
    reason:
      'of one submitter on the disk of the head, or half of --max-disk, or --max-disk-per-user: none fills it alone',
  },
  leasesPerUser: {
    value: 400,
    unit: 'leases',
    reason: 'of one submitter at a time, or --max-leases-per-user: half of what 50 nodes hold; what is beyond waits',
  },
  endedTasksMax: {
    value: 10_000,
    unit: 'tasks',
    reason: 'bounds the memory of the head: beyond it the one that ended first is forgotten, with its result',
  },
  tasksListed: { value: 100, unit: 'tasks', reason: 'a list is one message: the latest; the command says so' },
  nodesListed: { value: 64, unit: 'nodes', reason: 'a list is one message: the first by name; the command says so' },
  handshakeMs: {
    value: 3000,
    unit: 'ms',
    reason: 'a connection that has not shown its key by then is closed: idle and half-open ones cost nothing for long',
  },
  connectionsUntaken: {
    value: 1024,
    unit: 'connections',
    reason:
      'of each port, made and not taken yet: beyond it the system forgets some, and their peers think that they are connected',
  },
  openFilesWanted: {
    value: 16_384,
    unit: 'files',
    reason:
      'that the head may have open (ulimit -n), else it warns: each connection is one, and without any left it ends',
  },
  handshakeBurst: {
    value: 1000,
    unit: 'handshakes',
    reason:
      'of strangers and newcomers of one address in a row: 50 nodes behind one router that all come back make 250; what is beyond comes again',
  },
  handshakesPerSecond: { value: 50, unit: 'handshakes a second', reason: 'of those in the long run' },
  failedHandshakes: {
    value: 100,
    unit: 'failures a minute',
    reason:
      'of one address with unknown keys; then its strangers get no answer for 10 s, and twice as long each time after; over HTTP they get 429',
  },
  handshakePauseMs: {
    value: 600_000,
    unit: 'ms',
    reason: 'such a pause at most; enrolled keys are let in all the time',
  },
  addressesWatched: { value: 10_000, unit: 'addresses', reason: 'bounds the memory of the three limits before' },
  httpConnections: {
    value: 256,
    unit: 'connections',
    reason: 'to the HTTP port at a time; what is beyond is closed at once',
  },
  httpHeadersMs: {
    value: 3000,
    unit: 'ms',
    reason: 'an HTTP connection that has not asked anything by then, or nothing more after an answer, is closed',
  },
  httpRequestMs: { value: 30_000, unit: 'ms', reason: 'an HTTP request that is not whole by then is refused' },
  offeredBytes: {
    value: 256 * 2 ** 20,
    unit: 'bytes',
    reason: 'of blocks on their way to the head for which no task waits yet; the first begun is given up for the next',
  },
  refusalsWritten: {
    value: 20,
    unit: 'lines a minute',
    reason: 'refusals of one source in the audit log, so that who is refused cannot fill the disk; all are counted',
  },
  tokenUsesMax: { value: 10_000, unit: 'uses', reason: 'of one join token; a number without end would be a password' },
  tokenDaysMax: { value: 365, unit: 'days', reason: 'of one join token' },
  apiTokensMax: { value: 1000, unit: 'tokens', reason: 'API tokens that have not ended; they are all in one file' },
  bearerBytesMax: { value: 4096, unit: 'bytes', reason: 'an API token or a JWT in the header of an HTTP request' },
  jwtLifetimeMs: {
    value: 15 * 60_000,
    unit: 'ms',
    reason: 'from issue to expiry: a JWT cannot be revoked, so it must end by itself',
  },
  jwtSkewMs: { value: 5000, unit: 'ms', reason: 'by which the clocks of issuer and head may differ' },
  joinAddressesMax: { value: 8, unit: 'addresses', reason: 'keeps a join token on one line' },
  sealBytes: {
    value: 8,
    unit: 'bytes',
    reason: 'proof of the sender in each message: guessing it takes an enrolled key and 2^64 messages',
  },
  modelLayersMax: { value: 512, unit: 'layers', reason: 'the graph of a step stays below a megabyte' },
  modelDepthMax: { value: 8, unit: 'levels', reason: 'layers within layers: what reads them recurses' },
  poolSizeMax: {
    value: 16,
    unit: 'rows and columns',
    reason: 'a graph that lists the values of every window holds size^4 numbers',
  },
  modelParametersMax: {
    value: 64 * 2 ** 20,
    unit: 'parameters',
    reason: 'weights and gradients, 256 MiB each, travel at every step',
  },
  modelValuesMax: {
    value: 2 ** 24,
    unit: 'values',
    reason: 'output of one layer for one sample: a batch of 16 takes 1 GiB',
  },
  onnxValuesMax: { value: 1000, unit: 'inputs or outputs', reason: 'a list of them stays small whatever the file' },
  onnxDepthMax: { value: 32, unit: 'levels', reason: 'messages within messages: what reads them recurses' },
  samplesMax: { value: 2 ** 24, unit: 'samples', reason: 'the order of an epoch is kept in memory, 4 bytes a sample' },
  dataSetBytesMax: {
    value: 2 ** 30,
    unit: 'bytes',
    reason: 'the client holds a data set in memory; also what a compressed file may unpack to',
  },
  safetensorsHeaderBytesMax: {
    value: 16 * 2 ** 20,
    unit: 'bytes',
    reason: 'the names and shapes of 100,000 tensors; anything larger is damage or an attack',
  },
} as const satisfies Record<string, { value: number; unit: string; reason: string }>;
