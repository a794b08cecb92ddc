/** Every place where bytes of somebody else become values, with something valid to begin from. */
import { crc32 } from 'node:zlib';
import {
  CsvReader,
  decode,
  decodeGradient,
  encode,
  encodeGradient,
  exportModel,
  HEADER_BYTES,
  initialWeights,
  newKeyPair,
  npyHeader,
  parameterCount,
  parseIdx,
  parseModel,
  parseNpyArray,
  parseNpyHeader,
  presetModel,
  PROTOCOL_VERSION,
  readJoinToken,
  readOnnx,
  readSafetensors,
  readShardResult,
  shardHeader,
  viewBlock,
  writeJoinToken,
  writeSafetensors,
  type SampleLayout,
  type SessionId,
  type TaskId,
} from '@muster/shared';

export interface Gate {
  readonly name: string;
  readonly corpus: readonly Uint8Array[];
  /** Takes it, or throws a MusterError. */
  readonly enter: (bytes: Uint8Array) => unknown;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const utf8 = new TextDecoder();

const task = '0123456789abcdef' as TaskId;
const session = 'ab'.repeat(16) as SessionId;
const stamp = { epoch: 3, seq: 7 };
const frames = [
  encode('show', { request: 1, task }, stamp),
  encode('result', { session, task, lease: 5, bytes: 100, path: '', computeMs: 1, fetchMs: 2 }, stamp),
  encode(
    'lease',
    { task, lease: 1, attempt: 1, taskType: 'echo', ranges: [0, 8], work: { bytes: 8 }, mirrored: false },
    stamp,
  ),
  encode('listTasks', { request: 2 }, stamp),
];

/** A frame whose header is right for what follows it: otherwise the checksum is all that a mutant meets. */
function sealedFrame(bytes: Uint8Array): Uint8Array[] {
  const [code = 0] = bytes;
  const meta = bytes.subarray(1);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16LE(0x754d, 0);
  header[2] = PROTOCOL_VERSION;
  header[3] = code;
  header.writeUInt32LE(crc32(meta), 12);
  header.writeUInt32LE(meta.length, 16);
  return [Buffer.concat([header, meta])];
}

const sealable = frames.map((frame) => Buffer.concat([frame.subarray(3, 4), frame.subarray(HEADER_BYTES)]));

const idx = (dims: readonly number[]): Uint8Array => {
  const bytes = Buffer.alloc(4 + 4 * dims.length + dims.reduce((product, each) => product * each, 1));
  bytes.set([0, 0, 8, dims.length]);
  dims.forEach((length, at) => bytes.writeUInt32BE(length, 4 + 4 * at));
  return bytes;
};

const layout: SampleLayout = {
  features: [4],
  featureType: 'uint8',
  scale: 1,
  shift: 0,
  target: { kind: 'classes', classes: 3 },
  samplesPerBlock: 16,
};

const tiny = parseModel({
  name: 'tiny',
  input: [1, 6, 6],
  layers: [{ type: 'conv', filters: 2, kernel: 3 }, { type: 'relu' }, { type: 'flatten' }, { type: 'dense', units: 3 }],
  loss: 'crossEntropy',
});

const token = writeJoinToken({
  id: '0123456789abcdef',
  secret: '07'.repeat(16),
  role: 'provider',
  expiresWallMs: 2_000_000_000_000,
  headKey: newKeyPair().publicKey,
  endpoints: [{ host: '192.168.1.20', portBase: 5555 }],
});

const weights = new Float32Array(32).fill(0.5);

export const gates: readonly Gate[] = [
  { name: 'frame', corpus: frames, enter: (bytes) => decode([bytes]) },
  { name: 'message behind a right header', corpus: sealable, enter: (bytes) => decode(sealedFrame(bytes)) },
  {
    name: 'npy header',
    corpus: [npyHeader('float32', [3, 4])].map((header) => new Uint8Array(header)),
    enter: (bytes) => parseNpyHeader(bytes, 'x.npy'),
  },
  {
    name: 'npy array',
    corpus: [Buffer.concat([npyHeader('float32', [3, 4]), Buffer.alloc(48)])],
    enter: (bytes) => parseNpyArray(bytes, 'x.npy'),
  },
  { name: 'idx', corpus: [idx([3, 4, 4]), idx([8])], enter: (bytes) => parseIdx(bytes, 'x-ubyte') },
  {
    name: 'safetensors',
    corpus: [
      Buffer.concat(
        writeSafetensors({
          tensors: new Map([['w', { dtype: 'F32', shape: [4, 8], bytes: new Uint8Array(weights.buffer) }]]),
          metadata: { step: '3' },
        }),
      ),
    ],
    enter: (bytes) => readSafetensors(bytes, 'x.safetensors'),
  },
  { name: 'join token', corpus: [text(token)], enter: (bytes) => readJoinToken(utf8.decode(bytes)) },
  {
    name: 'MODEL.json',
    corpus: [text(JSON.stringify(tiny)), text(JSON.stringify(presetModel('mlp', { input: [1, 4, 4], classes: 2 })))],
    enter: (bytes) => parseModel(jsonOrNull(utf8.decode(bytes))),
  },
  { name: 'onnx', corpus: [exportModel(tiny, initialWeights(tiny, 1))], enter: readOnnx },
  {
    name: 'shard result',
    corpus: [Buffer.concat([shardHeader({ samples: 8, correct: 3, loss: 2 }), new Uint8Array(weights.buffer)])],
    enter: (bytes) => readShardResult(bytes, 8),
  },
  ...(['none', 'bf16', 'int8', { topk: 0.1 }] as const).map((codec) => ({
    name: `gradient ${JSON.stringify(codec)}`,
    corpus: [encodeGradient(codec, weights)],
    enter: (bytes: Uint8Array) => decodeGradient(codec, bytes, { out: new Float32Array(weights.length) }),
  })),
  { name: 'block of samples', corpus: [new Uint8Array(6 * 8)], enter: (bytes) => viewBlock(layout, bytes) },
  {
    name: 'csv',
    corpus: [text('a,b,label\n1,2,0\n3.5,4,1\n')],
    enter: (bytes) => {
      const reader = new CsvReader('x.csv');
      reader.push(bytes);
      return reader.end();
    },
  },
];

function jsonOrNull(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

if (parameterCount(tiny) === 0) throw new Error('the corpus has a model without weights');
