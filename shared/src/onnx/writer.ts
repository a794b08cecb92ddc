import { ProtobufWriter } from './protobuf-writer.ts';

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
export const typeCodes = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, float64: 11 } as const;

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
  const to = new ProtobufWriter();
  to.whole(1, IR_VERSION);
  to.nested(7, () => writeGraph(to, graph));
  to.nested(8, () => {
    to.text(1, '');
    to.whole(2, OPSET);
  });
  return to.finish();
}

function writeGraph(to: ProtobufWriter, { name, nodes, initializers, inputs, outputs }: OnnxGraph): void {
  for (const node of nodes) to.nested(1, () => writeNode(to, node));
  to.text(2, name);
  for (const initializer of initializers) to.nested(5, () => writeTensor(to, initializer));
  for (const value of inputs) to.nested(11, () => writeValueInfo(to, value));
  for (const value of outputs) to.nested(12, () => writeValueInfo(to, value));
}

function writeNode(to: ProtobufWriter, { op, inputs, outputs, int = {}, ints = {} }: OnnxNode): void {
  for (const input of inputs) to.text(1, input);
  for (const output of outputs) to.text(2, output);
  to.text(4, op);
  for (const [name, value] of Object.entries(int)) to.nested(5, () => writeInt(to, name, value));
  for (const [name, values] of Object.entries(ints)) to.nested(5, () => writeInts(to, name, values));
}

function writeInt(to: ProtobufWriter, name: string, value: number): void {
  to.text(1, name);
  to.whole(3, value);
  to.whole(20, ATTRIBUTE_INT);
}

function writeInts(to: ProtobufWriter, name: string, values: readonly number[]): void {
  to.text(1, name);
  for (const value of values) to.whole(8, value);
  to.whole(20, ATTRIBUTE_INTS);
}

function writeTensor(to: ProtobufWriter, initializer: Initializer): void {
  const { name, type, dims } = initializer;
  for (const dim of dims) to.whole(1, dim);
  to.whole(2, typeCodes[type]);
  to.text(8, name);
  if ('raw' in initializer) return to.bytes(9, initializer.raw);
  const where = { location: initializer.location, offset: '0', length: String(initializer.bytes) };
  for (const [key, value] of Object.entries(where)) to.nested(13, () => writeEntry(to, key, value));
  to.whole(14, EXTERNAL);
}

function writeEntry(to: ProtobufWriter, key: string, value: string): void {
  to.text(1, key);
  to.text(2, value);
}

function writeValueInfo(to: ProtobufWriter, { name, type, dims }: ValueInfo): void {
  to.text(1, name);
  to.nested(2, () =>
    to.nested(1, () => {
      to.whole(1, typeCodes[type]);
      to.nested(2, () => {
        for (const dim of dims) to.nested(1, () => writeDimension(to, dim));
      });
    }),
  );
}

const writeDimension = (to: ProtobufWriter, dim: number | string): void =>
  typeof dim === 'string' ? to.text(2, dim) : to.whole(1, dim);
