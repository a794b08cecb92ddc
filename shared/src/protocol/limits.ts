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
  openTasksMax: { value: 1000, unit: 'tasks', reason: 'bounds the memory of the head' },
} as const satisfies Record<string, { value: number; unit: string; reason: string }>;
