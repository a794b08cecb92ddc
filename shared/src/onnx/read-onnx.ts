import { MusterError } from '../errors.ts';
import { limits } from '../protocol/limits.ts';
import { fieldsOf, textOf, type ProtobufField } from './protobuf-reader.ts';

/** An input or output of a model. */
export interface OnnxValue {
  readonly name: string;
  /** Element type as ONNX names it in lower case: `float`, `int64`, ... */
  readonly type: string;
  /** A number, the name of a symbolic dimension, or '?'; undefined if not even the rank is known. */
  readonly dims: readonly (number | string)[] | undefined;
}

export interface OnnxSummary {
  /** Inputs that have no initializer: a run must be given them. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** Version of the standard operators. */
  readonly opset: number;
  /** Nodes of subgraphs and functions included. */
  readonly nodeCount: number;
}

/** Messages of onnx.proto that can contain nodes or tensors, by field number. */
const messages = {
  model: { 7: 'graph', 20: 'training', 25: 'function' },
  training: { 1: 'graph', 2: 'graph' },
  function: { 7: 'node', 11: 'attribute' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparseTensor' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparseTensor', 23: 'sparseTensor' },
  sparseTensor: { 1: 'tensor', 2: 'tensor' },
  tensor: {},
} as const satisfies Record<string, Record<number, string>>;

type MessageKind = keyof typeof messages;

/** More than any operator takes. */
const DIMENSIONS_MAX = 64;

/** TensorProto.DataType, by number. */
const elementTypes =
  'undefined float uint8 int8 uint16 int16 int32 int64 string bool float16 double uint32 uint64 complex64 complex128 bfloat16'.split(
    ' ',
  );

/**
 * Inputs and outputs of a user's model, read without running it. Work and memory are bounded by the length of the file.
 * @throws MusterError BAD_MODEL if the bytes are no ONNX model, nest deeper than a limit, or keep tensors in other files
 */
export function readOnnx(bytes: Uint8Array): OnnxSummary {
  try {
    return summary(bytes);
  } catch (error) {
    if (error instanceof MusterError) throw error;
    throw refusal(error instanceof Error ? error.message : String(error), error);
  }
}

function summary(bytes: Uint8Array): OnnxSummary {
  const nodeCount = countNodes(bytes, 'model', 1);
  const graph = onlyGraphIn(bytes);
  const inputs = new Map(valuesIn(graph, 11).map((value) => [value.name, value]));
  for (const tensor of messagesIn(graph, 5)) for (const name of messagesIn(tensor, 8)) inputs.delete(textOf(name));
  return { inputs: [...inputs.values()], outputs: valuesIn(graph, 12), opset: opsetIn(bytes), nodeCount };
}

function onlyGraphIn(model: Uint8Array): Uint8Array {
  const [graph, second] = messagesIn(model, 7);
  if (graph === undefined || second !== undefined) throw refusal(`it has ${graph ? 'more than one' : 'no'} graph`);
  return graph;
}

/** Counts nodes, and visits every message that can hold a tensor to refuse tensors stored in other files. */
function countNodes(bytes: Uint8Array, kind: MessageKind, depth: number): number {
  if (depth > limits.onnxDepthMax.value) throw refusal(`it nests deeper than ${limits.onnxDepthMax.value} levels`);
  let count = kind === 'node' ? 1 : 0;
  for (const field of fieldsOf(bytes)) {
    if (kind === 'tensor') refuseExternal(field);
    const inner = (messages[kind] as Record<number, MessageKind>)[field.field];
    if (inner !== undefined) count += countNodes(contentOf(field), inner, depth + 1);
  }
  return count;
}

/** external_data and data_location name a file on the machine that loads the model. */
function refuseExternal({ field, whole }: ProtobufField): void {
  if (field !== 13 && !(field === 14 && whole !== 0n)) return;
  throw new MusterError('BAD_MODEL', 'the ONNX model is not complete', {
    why: 'a tensor of it lies in another file',
    fix: 'save it as one file: onnx.save(model, path, save_as_external_data=False)',
  });
}

function opsetIn(model: Uint8Array): number {
  for (const imported of messagesIn(model, 8)) {
    const domain = textIn(imported, 1) ?? '';
    if (domain === '' || domain === 'ai.onnx') return Number(wholeIn(imported, 2) ?? 0n);
  }
  throw refusal('it does not say which version of the standard operators it uses');
}

function valuesIn(graph: Uint8Array, number: 11 | 12): OnnxValue[] {
  const values: OnnxValue[] = [];
  const { value: most } = limits.onnxValuesMax;
  for (const value of messagesIn(graph, number)) {
    if (values.length === most) throw refusal(`it has more than ${most} ${number === 11 ? 'inputs' : 'outputs'}`);
    values.push(valueOf(value));
  }
  return values;
}

/** ValueInfoProto: name, and a TypeProto of which only tensors can be fed. */
function valueOf(bytes: Uint8Array): OnnxValue {
  const name = textIn(bytes, 1) ?? '';
  const tensor = messageIn(messageIn(bytes, 2), 1);
  if (tensor === undefined) throw refusal(`${name === '' ? 'an input or output' : name} is not a tensor`);
  const code = Number(wholeIn(tensor, 1) ?? 0n);
  return { name, type: elementTypes[code] ?? `type ${code}`, dims: dimsOf(messageIn(tensor, 2)) };
}

function dimsOf(shape: Uint8Array | undefined): OnnxValue['dims'] {
  if (shape === undefined) return undefined;
  const dims: (number | string)[] = [];
  for (const dim of messagesIn(shape, 1)) {
    if (dims.length === DIMENSIONS_MAX) throw refusal(`a tensor has more than ${DIMENSIONS_MAX} dimensions`);
    dims.push(dimensionOf(dim));
  }
  return dims;
}

function dimensionOf(bytes: Uint8Array): number | string {
  const size = wholeIn(bytes, 1);
  if (size === undefined) return textIn(bytes, 2) ?? '?';
  if (size < 0n || size > BigInt(Number.MAX_SAFE_INTEGER)) throw refusal(`a dimension is ${size}`);
  return Number(size);
}

function textIn(bytes: Uint8Array, number: number): string | undefined {
  const text = messageIn(bytes, number);
  return text === undefined ? undefined : textOf(text);
}

function wholeIn(bytes: Uint8Array, number: number): bigint | undefined {
  let last: bigint | undefined;
  for (const { field, whole } of fieldsOf(bytes)) if (field === number) last = whole;
  return last;
}

function messageIn(bytes: Uint8Array | undefined, number: number): Uint8Array | undefined {
  let last: Uint8Array | undefined;
  for (const message of messagesIn(bytes ?? new Uint8Array(), number)) last = message;
  return last;
}

/** One by one, never as a list: their number is bounded only by the file. */
function* messagesIn(bytes: Uint8Array, number: number): Generator<Uint8Array> {
  for (const field of fieldsOf(bytes)) if (field.field === number) yield contentOf(field);
}

/** The bytes of a field that must be a message or a text. */
function contentOf({ field, bytes }: ProtobufField): Uint8Array {
  if (bytes === undefined) throw refusal(`field ${field} is not a message or text`);
  return bytes;
}

const refusal = (why: string, cause?: unknown): MusterError =>
  new MusterError('BAD_MODEL', 'the file is not an ONNX model that can be used', {
    why,
    fix: 'check it with onnx.checker.check_model, and export it again',
    cause,
  });
