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
  framesMax: { value: 8, unit: 'frames', reason: 'no message has more parts' },
  messageBytesMax: { value: 4 * 2 ** 20, unit: 'bytes', reason: 'ZeroMQ drops a peer that sends a larger frame' },
  fetchWindow: { value: 8, unit: 'chunks', reason: 'measured best for chunk fetch: 2 GB/s on loopback' },
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
  openTasksMax: { value: 1000, unit: 'tasks', reason: 'bounds the memory of the head' },
  endedTasksMax: {
    value: 10_000,
    unit: 'tasks',
    reason: 'bounds the memory of the head: beyond it the one that ended first is forgotten, with its result',
  },
  tasksListed: { value: 100, unit: 'tasks', reason: 'a list is one message: the latest; the command says so' },
  nodesListed: { value: 64, unit: 'nodes', reason: 'a list is one message: the first by name; the command says so' },
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
} as const satisfies Record<string, { value: number; unit: string; reason: string }>;
