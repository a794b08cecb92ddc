import { bytesOf } from '../tensor/dtype.ts';
import { encodeModel, type Initializer, type OnnxGraph, type OnnxNode } from './writer.ts';

type Attributes = Pick<OnnxNode, 'int' | 'ints'>;

/** Nodes and constants of a graph under construction. Values are referred to by name; each new one gets a unique name. */
export class GraphBuilder {
  readonly #nodes: OnnxNode[] = [];
  readonly #initializers = new Map<string, Initializer>();

  /** Adds a node with one output and returns that output's name. */
  add(op: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const output = this.#freshName(op);
    this.#nodes.push({ op, inputs, outputs: [output], ...attributes });
    return output;
  }

  /** Adds a node with two outputs. */
  addPair(op: string, inputs: readonly string[], attributes: Attributes = {}): [string, string] {
    const first = this.#freshName(op);
    const outputs = [first, `${first}_second`] as const;
    this.#nodes.push({ op, inputs, outputs, ...attributes });
    return [...outputs];
  }

  /** Adds the node whose output is the graph's output `name`. */
  addOutput(name: string, op: string, node: Attributes & { inputs: readonly string[] }): void {
    this.#nodes.push({ op, outputs: [name], ...node });
  }

  /** A vector of int64, as shapes and axes are given. */
  integers(...values: readonly number[]): string {
    const raw = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.initializer({ name: `int64_${values.join('_')}`, type: 'int64', dims: [values.length], raw });
  }

  scalar(value: number): string {
    return this.floats(`float32_${value}`, [], [value]);
  }

  /** Constants of the same name must be equal: one is kept. */
  floats(name: string, dims: readonly number[], values: Iterable<number>): string {
    return this.initializer({ name, type: 'float32', dims, raw: bytesOf(Float32Array.from(values)) });
  }

  initializer(initializer: Initializer): string {
    this.#initializers.set(initializer.name, initializer);
    return initializer.name;
  }

  encode(graph: Pick<OnnxGraph, 'name' | 'inputs' | 'outputs'>): Uint8Array<ArrayBuffer> {
    return encodeModel({ ...graph, nodes: this.#nodes, initializers: [...this.#initializers.values()] });
  }

  #freshName(op: string): string {
    return `${op}_${this.#nodes.length}`;
  }
}
