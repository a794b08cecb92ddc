/**
 * The part of ONNX that Muster writes, as protobuf bytes: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, IR version 8,
 * opset 17 (the newest that every execution provider accepts). A dependency for these few messages would be larger than what
 * they are used for. Field numbers stand beside the calls that write them.
 */
const IR_VERSION = 8;
const OPSET = 17;
const EXTERNAL = 1;
const ATTRIBUTE_INT = 2;
const ATTRIBUTE_INTS = 7;

/** TensorProto.DataType */
export const typeCodes = { float32: 1, uint8: 2, int8: 3, int32: 6, float64: 11 } as const;

export type OnnxType = keyof typeof typeCodes;

/** Symbolic dimensions are bound at each run. */
export interface ValueInfo {
  readonly name: string;
  readonly type: OnnxType;
  readonly dims: readonly (number | string)[];
}

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Attributes that are one integer. */
  readonly int?: Readonly<Record<string, number>>;
  /** Attributes that are lists of integers; no graph of Muster has needed another kind. */
  readonly ints?: Readonly<Record<string, readonly number[]>>;
}

interface Constant {
  readonly name: string;
  readonly type: OnnxType;
  readonly dims: readonly number[];
}

/** A value known when the session is created: its bytes lie in the model, or in a "file" that is handed over with it. */
export type Initializer =
  (Constant & { readonly raw: Uint8Array }) | (Constant & { readonly location: string; readonly bytes: number });

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly Initializer[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}

/** ModelProto */
export function encodeModel(graph: OnnxGraph): Uint8Array<ArrayBuffer> {
  const opset = [...text(1, ''), ...whole(2, OPSET)];
  return Uint8Array.from([...whole(1, IR_VERSION), ...nested(7, graphProto(graph)), ...nested(8, opset)]);
}

const graphProto = ({ name, nodes, initializers, inputs, outputs }: OnnxGraph): number[] => [
  ...nodes.flatMap((node) => nested(1, nodeProto(node))),
  ...text(2, name),
  ...initializers.flatMap((initializer) => nested(5, tensorProto(initializer))),
  ...inputs.flatMap((value) => nested(11, valueInfoProto(value))),
  ...outputs.flatMap((value) => nested(12, valueInfoProto(value))),
];

const nodeProto = ({ op, inputs, outputs, int = {}, ints = {} }: OnnxNode): number[] => [
  ...inputs.flatMap((input) => text(1, input)),
  ...outputs.flatMap((output) => text(2, output)),
  ...text(4, op),
  ...Object.entries(int).flatMap(([name, value]) => nested(5, intAttributeProto(name, value))),
  ...Object.entries(ints).flatMap(([name, values]) => nested(5, attributeProto(name, values))),
];

const intAttributeProto = (name: string, value: number): number[] => [
  ...text(1, name),
  ...whole(3, value),
  ...whole(20, ATTRIBUTE_INT),
];

const attributeProto = (name: string, values: readonly number[]): number[] => [
  ...text(1, name),
  ...values.flatMap((value) => whole(8, value)),
  ...whole(20, ATTRIBUTE_INTS),
];

function tensorProto(initializer: Initializer): number[] {
  const { name, type, dims } = initializer;
  const head = [...dims.flatMap((dim) => whole(1, dim)), ...whole(2, typeCodes[type]), ...text(8, name)];
  if ('raw' in initializer) return [...head, ...nested(9, [...initializer.raw])];
  const where = { location: initializer.location, offset: '0', length: String(initializer.bytes) };
  const entries = Object.entries(where).flatMap(([key, value]) => nested(13, [...text(1, key), ...text(2, value)]));
  return [...head, ...entries, ...whole(14, EXTERNAL)];
}

function valueInfoProto({ name, type, dims }: ValueInfo): number[] {
  const shape = dims.flatMap((dim) => nested(1, typeof dim === 'string' ? text(2, dim) : whole(1, dim)));
  const tensorType = [...whole(1, typeCodes[type]), ...nested(2, shape)];
  return [...text(1, name), ...nested(2, nested(1, tensorType))];
}

/** Protobuf: a field is its tag (number and wire type) and a varint, or a length and that many bytes. */
const whole = (field: number, value: number): number[] => [...varint(field << 3), ...varint(value)];
const nested = (field: number, bytes: readonly number[]): number[] => [
  ...varint((field << 3) | 2),
  ...varint(bytes.length),
  ...bytes,
];
const text = (field: number, value: string): number[] => nested(field, [...new TextEncoder().encode(value)]);

/** Seven bits a byte, lowest first. Division instead of shifts: lengths may pass 2^31. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}
